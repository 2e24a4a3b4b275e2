"""`skuscan-server evaluate`."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skuscan_server.cli.common import config_of, progress_bar
from skuscan_server.services import Services

if TYPE_CHECKING:
    from skuscan_server.evaluation.run import Step

RATES = (
    *("recall_at_1", "recall_at_5", "shortlist_recall_at_10", "shortlist_recall_at_20"),
    *("coverage", "precision", "ambiguous_rate", "short_list_precision", "false_accept_rate"),
)
NUMBERS = ("map", "ndcg_at_5", "auroc", "ece")
MISTAKES_FOLDER = Path("build") / "mistakes"


@click.command("evaluate")
@click.option("--catalogue", required=True, type=click.Path(path_type=Path), help="CSV: sku,name,image.")
@click.option("--queries", required=True, type=click.Path(path_type=Path), help="CSV: file,sku.")
@click.option("--negatives", type=click.Path(file_okay=False, path_type=Path), help="Pictures of nothing in it.")
@click.option("--distractors", type=click.Path(file_okay=False, path_type=Path), help="Pictures enrolled as more SKUs.")
@click.option("--limit", type=click.IntRange(1), help="Take a seeded sample of so many queries.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the report here.")
@click.option(
    "--mistakes",
    type=click.Path(file_okay=False, path_type=Path),
    default=MISTAKES_FOLDER,
    show_default=True,
    help="Folder for the page of the worst mistakes.",
)
@click.pass_context
def command(
    ctx: click.Context,
    catalogue: Path,
    queries: Path,
    negatives: Path | None,
    distractors: Path | None,
    limit: int | None,
    json_file: Path | None,
    mistakes: Path,
) -> None:
    """Measure recognition on your own pictures, through the whole path: features, bundle, device, answer.

    A server and a device are made for it in a temporary folder; the running ones are not touched.

    \b
    Example:
      skuscan-server evaluate --catalogue catalogue.csv --queries queries.csv --json report.json
    """
    from skuscan_server.evaluation.mistakes import write_page
    from skuscan_server.evaluation.run import EvaluationInputs, evaluate

    inputs = EvaluationInputs(catalogue, queries, negatives, distractors, limit)
    with tempfile.TemporaryDirectory(prefix="skuscan-evaluation-") as folder, _progress() as step:
        private = {"data_folder": Path(folder) / "server", "database_url": "", "published_folder": None}
        given = config_of(ctx)
        own = {"keys_folder": None, "model_folder": Services(given).models.in_use()}
        config = given.model_copy(update=private | own)
        result = evaluate(inputs, config, Path(folder) / "device", step)
        page = write_page(mistakes, f"Mistakes of {queries}", result.mistakes)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(result.report, indent=2) + "\n")
    click.echo("\n".join(_lines(result.report)))
    click.echo(f"worst mistakes: {page}")


@contextmanager
def _progress() -> "Iterator[Step]":
    """One bar that begins anew with each step."""
    with progress_bar("evaluation") as show:
        yield lambda _, done, total: show(done, total)


def _lines(report: dict[str, Any]) -> list[str]:
    lines = [f"{report['n']} queries, {report['references']} references, {report['negatives']} negatives"]
    lines += [f"{name:<24}{_rate(report, name)}" for name in RATES]
    lines += [f"{name:<24}{report[name]:.3f}" for name in NUMBERS if report[name] is not None]
    lines += [f"{'recall_at_1, ' + name:<28}{_rate(part, 'recall_at_1')}" for name, part in report["ablation"].items()]
    latency = report["latency_ms"]
    lines.append(f"{'latency_ms':<24}p50 {latency['p50']:.0f}, p95 {latency['p95']:.0f}")
    lines.append(f"{'bytes_per_reference':<24}{report['bytes_per_reference']:.0f}")
    return lines


def _rate(report: dict[str, Any], name: str) -> str:
    if report[name] is None:
        return "-"
    low, high = report[f"{name}_interval"]
    return f"{report[name]:.3f}  [{low:.3f}, {high:.3f}]"
