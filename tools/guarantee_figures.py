"""Puts the figures of the last full fault bench into `docs/guarantees.md`.

    python -m tools.guarantee_figures

`make faults` calls it. What stands above the heading is written by people and stays.
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "faults.json"
PAGE = ROOT / "docs" / "guarantees.md"
HEADING = "## Figures of the last full run\n"


def rendered(page: str, results: dict[str, Any]) -> str:
    """The page with the figures of some results."""
    before = page.partition(HEADING)[0]
    machine = f"{results['cores']} cores, {results['machine']}, Python {results['python']}"
    lines = [
        HEADING,
        f"`{results['command']}` on {machine}.\n",
        "| promise | what was injected | figures |",
        "|---|---|---|",
    ]
    for guarantee, parts in results["guarantees"].items():
        lines += [f"| {guarantee} | {part} | {_figures(figures)} |" for part, figures in parts.items()]
    return before + "\n".join(lines) + "\n"


def _figures(figures: dict[str, float | int | str]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in figures.items())


def _number(value: float | str) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text(), json.loads(RESULTS.read_text())))
