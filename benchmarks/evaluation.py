"""The evaluation table on real pictures: `make eval`, or `python -m benchmarks.evaluation`.

Every set of `<SKUSCAN_DATA, else ../shared>/data/eval` with a catalogue of its own goes through the whole path, as
`skuscan-server evaluate` does it, with the set's negatives. The groceries are two sets: packages, and loose produce.
Results go to `benchmarks/results/recognition.json`; pages with pictures of mistakes to `build/evaluation/`.

These pictures report; nothing is trained or chosen on them.
"""

import argparse
import csv
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from skuscan_server.config import ServerConfig
from skuscan_server.evaluation.mistakes import write_page
from skuscan_server.evaluation.run import EvaluationInputs, evaluate

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "recognition.json"
BUILD = ROOT / "build" / "evaluation"

console = Console(width=150)


@dataclass(frozen=True)
class EvaluationSet:
    """A part of a folder of `eval/`.

    Attributes:
        name: In the table.
        folder: Under `eval/`.
        category: Only rows of this category; empty: all.
        groups: SKU -> group, where one design comes in several sizes that no picture tells apart.
    """

    name: str
    folder: str
    category: str = ""
    groups: tuple[tuple[str, str], ...] = ()


SETS = (
    EvaluationSet("groceries, packaged", "grocery", "packaged"),
    EvaluationSet("groceries, produce", "grocery", "produce"),
    EvaluationSet(
        "shelf crops of snacks",
        "shelves",
        groups=(("cheetoz_snack_30g", "cheetoz_snack"), ("cheetoz_snack_90g", "cheetoz_snack")),
    ),
    EvaluationSet("apc2015", "apc2015"),
    EvaluationSet("arc2017", "arc2017"),
)


def main() -> int:
    """Evaluate every set, write the results, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, help="a seeded sample of so many queries of each set")
    limit = parser.parse_args().limit
    data = Path(os.environ.get("SKUSCAN_DATA", ROOT.parent / "shared")) / "data" / "eval"
    if not data.is_dir():
        print(
            f"error: the real pictures are in {data}; set SKUSCAN_DATA to the folder that holds data/", file=sys.stderr
        )
        return 2
    reports = {part.name: _evaluate(part, data, limit) for part in SETS}
    if limit is None:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(reports, indent=2) + "\n")
    console.print(_table(reports))
    console.print(f"worst mistakes: {BUILD}")
    return 0


def _evaluate(part: EvaluationSet, data: Path, limit: int | None) -> dict[str, Any]:
    folder = data / part.folder
    with tempfile.TemporaryDirectory(prefix="skuscan-evaluation-") as temporary, _progress(part.name) as step:
        private = Path(temporary)
        inputs = EvaluationInputs(
            catalogue=_write(private / "catalogue.csv", _rows(folder / "catalogue.csv", "image", part)),
            queries=_write(private / "queries.csv", _rows(folder / "queries.csv", "file", part)),
            negatives=data / "negatives",
            limit=limit,
        )
        config = ServerConfig(data_folder=private / "server")
        result = evaluate(inputs, config, private / "device", step)
        write_page(BUILD / part.name.replace(",", "").replace(" ", "-"), f"Mistakes: {part.name}", result.mistakes)
    return result.report


class _Steps:
    """Shows one bar that begins anew with each step."""

    def __init__(self, bar: Progress, title: str) -> None:
        self._bar, self._title = bar, title
        self._task = bar.add_task(title, total=None)

    def __call__(self, step: str, done: int, total: int) -> None:
        self._bar.update(self._task, description=f"{self._title}: {step}", completed=done, total=total)

    def __enter__(self) -> "_Steps":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _progress(title: str) -> _Steps:
    return _Steps(Progress(console=Console(stderr=True), transient=True), title)


def _rows(path: Path, picture: str, part: EvaluationSet) -> Iterator[dict[str, str]]:
    """The set's rows, their pictures by absolute path, grouped."""
    groups = dict(part.groups)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if part.category in ("", row["category"]):
                group = {"group": groups.get(row["sku"], "")} if groups else {}
                yield row | {picture: str((path.parent / row[picture]).resolve())} | group


def _write(path: Path, rows: Iterator[dict[str, str]]) -> Path:
    listed = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, listed[0].keys())
        writer.writeheader()
        writer.writerows(listed)
    return path


def _table(reports: dict[str, dict[str, Any]]) -> Table:
    table = Table(
        "set", "SKUs", "photos", "recall@1", "@5", "shortlist@20", "embedding", "ORB", "coverage", "precision"
    )
    table.add_column("false accepts")
    for name, report in reports.items():
        ablation = report["ablation"]
        table.add_row(
            name,
            str(report["references"]),
            str(report["n"]),
            _rate(report, "recall_at_1"),
            f"{report['recall_at_5']:.3f}",
            f"{report['shortlist_recall_at_20']:.3f}",
            _rate(ablation["embedding"], "recall_at_1"),
            _rate(ablation["orb"], "recall_at_1"),
            f"{report['coverage']:.3f}",
            _rate(report, "precision"),
            _rate(report, "false_accept_rate"),
        )
    return table


def _rate(report: dict[str, Any], name: str) -> str:
    if report[name] is None:
        return "-"
    low, high = report[f"{name}_interval"]
    return f"{report[name]:.3f} ({low:.2f}-{high:.2f})"


if __name__ == "__main__":
    sys.exit(main())
