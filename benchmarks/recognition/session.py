"""One evaluation from its command line to its files: what `make eval` and `make validate` share."""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.recognition.plots import coverage_plot, recall_plot
from benchmarks.recognition.report import Results, provenance, results_of
from benchmarks.recognition.shops import QUERIES, Shop, limited
from benchmarks.recognition.tables import aims_table, false_accepts_table, sets_table
from benchmarks.recognition.timing import scan_times
from benchmarks.recognition.work import Answers, Step, Workplace, run
from skuscan.model import Model
from skuscan_models.reliability import Reliability, ReliabilityBin, diagram
from skuscan_server.config import ServerConfig
from skuscan_server.evaluation.mistakes import mistakes_of, write_page
from skuscan_server.evaluation.run import pictures_of

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "evaluation"


@dataclass(frozen=True)
class Session:
    """What to evaluate and where things go.

    Attributes:
        name: Of the files: `NAME.json`, `NAME.md` and plots.
        command: What makes it again.
        results: The folder of whole results.
        train: The folder of training pictures.
        pooled: Shops whose answers are counted together too.
    """

    name: str
    command: str
    results: Path
    train: Path
    pooled: tuple[str, ...] = ()

    def run(self, shops: Sequence[Shop], given: argparse.Namespace) -> Results:
        """Ask everything, write everything, print the tables."""
        chosen = _chosen(shops, given)
        model, usual_rate = given.model or ServerConfig().model_folder, ServerConfig().false_accept_rate
        with tempfile.TemporaryDirectory(prefix="skuscan-evaluation-") as folder, bars() as step:
            rate = given.false_accept_rate or usual_rate
            place = Workplace(Path(folder), BUILD / "cache", self.train, model, rate)
            answers = run(chosen, place, step)
            results = provenance(Model.open_folder(model), self.command, rate)
            results |= results_of(chosen, answers, self.pooled)
            for shop in chosen:
                if QUERIES in shop.asked:
                    photos = [photo.source for photo in shop.asked[QUERIES] if isinstance(photo.source, Path)]
                    results["sets"][shop.key]["time"] = scan_times(place.store(shop.key), photos)
        _write_mistakes(chosen, answers, BUILD / "mistakes" / self.name)
        whole = chosen == list(shops) and given.model is None and rate == usual_rate
        text = _write(results, self.results if whole else BUILD, self.name)
        Console(width=200).print(text, markup=False)
        return results


def arguments(description: str) -> argparse.ArgumentParser:
    """The command line that evaluations share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--limit", type=int, help="a seeded sample of so many photos of each kind")
    parser.add_argument("--only", nargs="+", metavar="KEY", help="sets, e.g. groceries-packaged shelves-left-out-0")
    parser.add_argument("--model", type=Path, help="another artefact's folder than the released one")
    parser.add_argument("--false-accept-rate", type=accepted_rate, help="another than the server's default, e.g. 0.05")
    return parser


def accepted_rate(text: str) -> float:
    """A share between 0 and 1."""
    rate = float(text)
    if not 0 < rate < 1:
        raise argparse.ArgumentTypeError(f"an accepted rate is above 0 and below 1, not {text}")
    return rate


def data_folder() -> Path | None:
    """The folder with `train` and `eval`; None when it is not there, which is said."""
    data = Path(os.environ.get("SKUSCAN_DATA", ROOT.parent / "shared")) / "data"
    if data.is_dir():
        return data
    Console(stderr=True).print(f"error: no real pictures in {data}; set SKUSCAN_DATA to the folder that holds data/")
    return None


@contextmanager
def bars() -> Iterator[Step]:
    """A bar for each step, with what is done and how long it took."""
    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tasks = {}
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def step(title: str, done: int, total: int) -> None:
            if title not in tasks:
                tasks[title] = progress.add_task(title)
            progress.update(tasks[title], completed=done, total=total)

        yield step


def _chosen(shops: Sequence[Shop], given: argparse.Namespace) -> list[Shop]:
    some = [shop for shop in shops if given.only is None or shop.key in given.only]
    return some if given.limit is None else [limited(shop, given.limit) for shop in some]


def _write(results: Results, folder: Path, name: str) -> str:
    """The files of a session; the text of its tables."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [(report["title"], report) for report in results["sets"].values()]
    (folder / f"{name}-recall.svg").write_text(recall_plot(rows))
    (folder / f"{name}-coverage.svg").write_text(coverage_plot(rows))
    for key, report in results["sets"].items():
        bins = tuple(ReliabilityBin(**one) for one in report["reliability"])
        (folder / f"{name}-reliability-{key}.svg").write_text(
            diagram(Reliability(bins, report["ece"] or 0.0), report["title"])
        )
    text = "\n".join(
        [sets_table(results["sets"]), false_accepts_table(results["false_accepts"]), aims_table(results["aims"])]
    )
    (folder / f"{name}.md").write_text(f"Made by `{results['command']}`, model {results['model']}.\n\n{text}")
    for report in results["sets"].values():
        del report["coverage_curve"], report["latency_ms"]  # drawn; and timed by itself, on one core
    (folder / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    return text


def _write_mistakes(shops: Sequence[Shop], answers: dict[str, Answers], folder: Path) -> None:
    """A page for each set; pictures that were made for a scan only are left out."""
    for shop in shops:
        outcomes = [outcome for some in answers[shop.key].outcomes.values() for outcome in some]
        files = [outcome for outcome in outcomes if not outcome.name.isdigit()]
        if mistakes := mistakes_of(files, pictures_of(shop.plan)):
            write_page(folder / shop.key, f"Mistakes: {shop.title}", mistakes)
