"""The evaluation: a user's catalogue and queries in, a report out.

1. Read and check everything that was given.
2. Bring the catalogue, and each distractor as one more SKU, to a device of its own (`device.py`).
3. Ask every query and every negative.
4. Ask the queries again with the embedding alone, and with ORB against all references: the ablation.
5. Count (`metrics.py`), and show the worst mistakes (`mistakes.py`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from skuscan.index import LayeredIndex
from skuscan.picture import load_picture
from skuscan.proto.catalogue_pb2 import RECORD_KIND_PRODUCT
from skuscan.recognizer import Mode, Recognition, Recognizer, RecognizerOptions
from skuscan.store import Generation, Store
from skuscan_server.catalogue.csv_import import read_csv
from skuscan_server.catalogue.plan import ImportPlan, PictureSource
from skuscan_server.catalogue.values import ProductData
from skuscan_server.config import ServerConfig
from skuscan_server.evaluation.device import provision
from skuscan_server.evaluation.inputs import Query, pictures_in, read_queries
from skuscan_server.evaluation.metrics import QueryOutcome, Rate, rate_fields, summary, ungrouped
from skuscan_server.evaluation.mistakes import Mistake

SHORTLIST = 20  # SKUs, for shortlist_recall_at_20
ABLATION_NAMES: dict[Mode, str] = {"embedding": "embedding", "keypoints_all": "orb", "full": "embedding_orb"}

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
    asked = _Asked(plan, device, step)
    outcomes = {mode: asked.ask(queries, mode, ABLATION_NAMES[mode]) for mode in get_args(Mode)}
    refused = asked.ask(negatives, "full", "negatives")
    report = summary(outcomes["full"], refused)
    report["bytes_per_reference"] = _bytes_per_reference(device.open_generation())
    report["ablation"] = {
        ABLATION_NAMES[mode]: rate_fields("recall_at_1", Rate.of(q.right_within(1) for q in answered))
        for mode, answered in outcomes.items()
    }
    report["references"] = len(plan.sources)
    return Evaluation(report, asked.mistakes)


class _Asked:
    """Asks pictures of one device, and keeps the mistakes of the full recogniser."""

    def __init__(self, plan: ImportPlan, device: Store, step: Step) -> None:
        self._device = device
        self._step = step
        self._pictures = {sku: sources[0].path for sku, sources in plan.pictures.items()}
        self._group_of = {sku: product.group for sku, product in plan.products.items() if product.group}
        self.mistakes: list[Mistake] = []

    def ask(self, queries: Sequence[Query], mode: Mode, title: str) -> list[QueryOutcome]:
        outcomes = []
        with Recognizer.open(self._device, RecognizerOptions(mode=mode)) as recognizer:
            index = LayeredIndex.open(recognizer.catalogue)
            for number, query in enumerate(queries):
                self._step(title, number, len(queries))
                recognition = recognizer.identify(query.file)
                shortlist: Iterable[str] = ()
                if mode == "full":
                    vector = recognizer.eye.embedder.embed(load_picture(query.file))
                    shortlist = (neighbour.sku for neighbour in index.search(vector, SHORTLIST))
                    self._note(query, recognition)
                outcomes.append(self._outcome(query, recognition, shortlist))
        self._step(title, len(queries), len(queries))
        return outcomes

    def _outcome(self, query: Query, recognition: Recognition, shortlist: Iterable[str]) -> QueryOutcome:
        return QueryOutcome(
            file=str(query.file),
            truth=self._answer(query.sku) or None,
            decision=recognition.decision.kind,
            ranked=ungrouped((candidate.sku for candidate in recognition.candidates), self._group_of),
            shortlist=ungrouped(shortlist, self._group_of),
            milliseconds=sum(recognition.timings.values()),
        )

    def _note(self, query: Query, recognition: Recognition) -> None:
        best = recognition.candidates[0].sku if recognition.candidates else ""
        right = self._answer(best) == self._answer(query.sku) if query.sku else recognition.decision.kind != "match"
        if not right:
            self.mistakes.append(
                Mistake(
                    query=query.file,
                    decision=recognition.decision.kind,
                    probability=recognition.decision.probability,
                    answered=(best, self._pictures[best]) if best else None,
                    truth=(query.sku, self._pictures[query.sku]) if query.sku else None,
                )
            )

    def _answer(self, sku: str) -> str:
        """A SKU, or the group that it stands for."""
        return self._group_of.get(sku, sku)


def _add_distractors(plan: ImportPlan, pictures: Sequence[Path]) -> None:
    for number, path in enumerate(pictures):
        sku = f"distractor-{number:06d}"
        plan.products[sku] = ProductData(sku, path.stem, "", "", {})
        plan.pictures[sku] = [PictureSource(path, str(path))]


def _bytes_per_reference(generation: Generation) -> float:
    """Recognition data on the wire: references, pairs and the index; products and displays are not counted."""
    manifest = generation.manifest
    segments = (*manifest.base_segments, *manifest.delta_segments)
    moved = sum(s.file.length for s in segments if s.kind != RECORD_KIND_PRODUCT) + manifest.annoy.file.length
    return moved / max(1, manifest.references)
