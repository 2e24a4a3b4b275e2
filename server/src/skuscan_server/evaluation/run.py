"""The evaluation: a user's catalogue and queries in, a report out.

1. Read and check everything that was given.
2. Bring the catalogue, and each distractor as one more SKU, to a device of its own (`device.py`).
3. Ask every query and every negative, and parts of the way too: the ablation (`scanning.py`).
4. Count (`summary.py`), and show the worst mistakes (`mistakes.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from skuscan.proto.catalogue_pb2 import RECORD_KIND_PRODUCT
from skuscan.store import Generation
from skuscan_server.catalogue.csv_import import read_csv
from skuscan_server.catalogue.plan import ImportPlan, PictureSource
from skuscan_server.catalogue.values import ProductData
from skuscan_server.config import ServerConfig
from skuscan_server.evaluation.device import provision
from skuscan_server.evaluation.inputs import Query, pictures_in, read_queries
from skuscan_server.evaluation.mistakes import Mistake, mistakes_of
from skuscan_server.evaluation.outcome import QueryOutcome
from skuscan_server.evaluation.scanning import Scanner
from skuscan_server.evaluation.summary import summary

Step = Callable[[str, int, int], None]
"""Told of a step's name, how much is done, of how much."""


@dataclass(frozen=True)
class EvaluationInputs:
    """What is evaluated.

    Attributes:
        catalogue: CSV of sku,name,image.
        queries: CSV of file,sku.
        negatives: Folder of pictures of nothing in the catalogue.
        distractors: Folder of pictures that are enrolled as SKUs which no query asks for.
        limit: A seeded sample of so many queries; None: all.
    """

    catalogue: Path
    queries: Path
    negatives: Path | None = None
    distractors: Path | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Evaluation:
    """A report for machines, and the mistakes for people."""

    report: dict[str, object]
    mistakes: list[Mistake]


def evaluate(inputs: EvaluationInputs, config: ServerConfig, store: Path, step: Step) -> Evaluation:
    """Run an evaluation.

    Args:
        inputs: What is evaluated.
        config: Of a server that does not exist yet; its data folder is filled.
        store: Where the device's store will be.
        step: Told of the progress.

    Raises:
        CatalogueError: A CSV, a folder or a picture cannot be used.
    """
    plan = read_csv(inputs.catalogue, config.max_csv_bytes, config.max_csv_rows)
    queries = read_queries(inputs.queries, plan.products, inputs.limit)
    negatives = [Query(file, "") for file in pictures_in(inputs.negatives)] if inputs.negatives else []
    if inputs.distractors:
        _add_distractors(plan, pictures_in(inputs.distractors))
    device = provision(plan, config, store, lambda done, total: step("references", done, total))
    scanner = Scanner(device, groups_of(plan))
    asked = _ask(scanner, queries, "queries", step)
    refused = _ask(scanner, negatives, "negatives", step)
    report = summary(asked, refused)
    report["bytes_per_reference"] = bytes_per_reference(device.open_generation())
    report["references"] = len(plan.sources)
    return Evaluation(report, mistakes_of([*asked, *refused], pictures_of(plan)))


def groups_of(plan: ImportPlan) -> dict[str, str]:
    """SKU -> group, of those that have one."""
    return {sku: product.group for sku, product in plan.products.items() if product.group}


def pictures_of(plan: ImportPlan) -> dict[str, Path]:
    """SKU or group -> its first reference picture."""
    groups = groups_of(plan)
    return {groups.get(sku, sku): sources[0].path for sku, sources in reversed(plan.pictures.items())}


def bytes_per_reference(generation: Generation) -> float:
    """Recognition data on the wire: references, pairs and the index; products and displays are not counted."""
    manifest = generation.manifest
    segments = (*manifest.base_segments, *manifest.delta_segments)
    moved = sum(s.file.length for s in segments if s.kind != RECORD_KIND_PRODUCT) + manifest.annoy.file.length
    return moved / max(1, manifest.references)


def _ask(scanner: Scanner, queries: Sequence[Query], title: str, step: Step) -> list[QueryOutcome]:
    outcomes = []
    for number, query in enumerate(queries):
        step(title, number, len(queries))
        outcomes.append(scanner.ask(query.file, str(query.file), query.sku or None, parts=bool(query.sku)))
    step(title, len(queries), len(queries))
    return outcomes


def _add_distractors(plan: ImportPlan, pictures: Sequence[Path]) -> None:
    for number, path in enumerate(pictures):
        sku = f"distractor-{number:06d}"
        plan.products[sku] = ProductData(sku, path.stem, "", "", {})
        plan.pictures[sku] = [PictureSource(path, str(path))]
