"""How far one of two look-alikes must be ahead of the other: fitted to drawn views of both, when their pair is new.

1. Take the most similar of the new pairs, as many as publishing may wait for.
2. In a worker: draw field views of a product, and scan each against the product and those it is paired with.
3. A view's *lead* is how far the other one's logit is above the right one's. From its few leads, a pair's margin is
   where one in fifty further views would be ahead for the wrong one.

A pair's margin stays until one of the two changes, as its record does; so does that of a pair which was not measured:
0, the model's own margin.
"""

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist

import numpy as np

from skuscan.catalogue import MemoryCatalogue
from skuscan.decision import Decider, ahead
from skuscan.model import Model
from skuscan.picture import load_picture
from skuscan.proto.bundle_pb2 import Calibration
from skuscan.proto.catalogue_pb2 import FileRef, Reference
from skuscan.recognition import RecognizerOptions
from skuscan.recognizer import Recognizer
from skuscan.runtime import RuntimeOptions
from skuscan.scan import Eye
from skuscan.store.blobs import BlobFolder
from skuscan_models.synthetic.field_view import field_view
from skuscan_models.synthetic.view_options import MIXED
from skuscan_server.builder.pairs import MARGIN_DECIMALS, SimilarPair
from skuscan_server.builder.records import load_features, reference_record
from skuscan_server.builder.snapshot import Snapshot, SnapshotReference
from skuscan_server.db.session import Database
from skuscan_server.features import FeaturePool, Recipe

WRONG_RATE = 0.02  # of views of the two products that may be matched with the other
VIEWS = 2 * MIXED  # drawn of each product; 54 ms of a core each
MAX_PRODUCTS = 100  # drawn in one publication: 33 s of a core, however large the catalogue
SEED = 20_260_102
LARGEST_MARGIN = 0.99  # 1 would never tell them apart


@dataclass(frozen=True)
class LeadJob:
    """What a worker needs to measure one product.

    Attributes:
        sku: The product drawn.
        picture: Its picture, as uploaded.
        references: Serialised `Reference` records, of the product and of those it is paired with.
    """

    sku: str
    picture: bytes
    references: tuple[bytes, ...]


def measure_leads(job: LeadJob, recipe: Recipe) -> dict[str, list[float]]:
    """Run in a worker: by other SKU, how far its logit is above the right one's in each view."""
    model, eye = _opened(recipe.model_folder)
    references = [Reference.FromString(data) for data in job.references]
    skus = {reference.sku for reference in references}
    recognizer = Recognizer(MemoryCatalogue(model, references), RecognizerOptions(shortlist=len(skus)), eye)
    decider = Decider(model.artifact.decision, Calibration())
    picture, rng = load_picture(job.picture), np.random.default_rng([SEED, zlib.crc32(job.sku.encode())])
    leads: dict[str, list[float]] = {sku: [] for sku in skus - {job.sku}}
    for options in VIEWS:
        logits = {r.sku: r.logit for r in decider.rate(recognizer.measure(field_view(picture, rng, options)).last)}
        for sku, of_sku in leads.items():
            of_sku.append(logits[sku] - logits[job.sku])
    return leads


class MarginFitter:
    """Fits the margins of new pairs.

    Args:
        database: Where finished features are.
        pictures: Reference pictures as uploaded.
        model: Whose features and decision they are.
    """

    def __init__(self, database: Database, pictures: BlobFolder, model: Model) -> None:
        self._database = database
        self._pictures = pictures
        self._model = model

    def fit(
        self, pairs: Sequence[SimilarPair], new: set[SimilarPair], snapshot: Snapshot, pool: FeaturePool
    ) -> list[SimilarPair]:
        """All pairs, the new ones with their margins."""
        group_of = {sku: product.group for sku, product in snapshot.products.items() if product.group}
        rivals = [p for p in new if p.sku_a not in group_of or group_of[p.sku_a] != group_of.get(p.sku_b)]
        leads = dict(pool.run(measure_leads, self._jobs(choose_pairs(rivals), snapshot)))
        own_margin = self._model.artifact.decision.ambiguous_margin
        return [with_margin(pair, leads, own_margin) if pair in new else pair for pair in pairs]

    def _jobs(self, chosen: Mapping[str, set[str]], snapshot: Snapshot) -> Iterator[tuple[str, LeadJob]]:
        of_sku: dict[str, list[SnapshotReference]] = {}
        for reference in snapshot.references:
            if reference.sku in chosen:
                of_sku.setdefault(reference.sku, []).append(reference)
        for sku, others in sorted(chosen.items()):
            shown = next(r for r in of_sku[sku] if r.picture_sha256 == snapshot.displays[sku])
            picture = self._pictures.read(FileRef(sha256=shown.picture_sha256, length=shown.picture_length))
            references = [reference for one in sorted({sku, *others}) for reference in of_sku[one]]
            features = load_features(self._database, references, self._model.feature_space)
            yield sku, LeadJob(sku, picture, tuple(reference_record(r, features) for r in references))


def choose_pairs(pairs: Iterable[SimilarPair], limit: int = MAX_PRODUCTS) -> dict[str, set[str]]:
    """The most similar pairs that have at most `limit` products between them: SKU -> those it is paired with."""
    chosen: dict[str, set[str]] = {}
    for pair in sorted(pairs, key=lambda p: (-p.similarity, p.sku_a, p.sku_b)):
        if len(chosen.keys() | {pair.sku_a, pair.sku_b}) <= limit:
            chosen.setdefault(pair.sku_a, set()).add(pair.sku_b)
            chosen.setdefault(pair.sku_b, set()).add(pair.sku_a)
    return chosen


def with_margin(
    pair: SimilarPair, leads: Mapping[str, Mapping[str, Sequence[float]]], own_margin: float
) -> SimilarPair:
    """A pair with the margin that its leads ask for.

    Args:
        pair: Of two SKUs.
        leads: SKU drawn -> other SKU -> leads of its views.
        own_margin: The model's: a smaller one is not believed on so few views, and left at 0.
    """
    both = (leads.get(pair.sku_a, {}).get(pair.sku_b, ()), leads.get(pair.sku_b, {}).get(pair.sku_a, ()))
    if any(len(of_one) < 2 for of_one in both):
        return pair
    needed = ahead(_bound([*both[0], *both[1]]), 0.0)
    if needed <= own_margin:
        return pair
    steps = 10**MARGIN_DECIMALS
    return replace(pair, minimum_margin=min(LARGEST_MARGIN, math.ceil(needed * steps) / steps))


def _bound(leads: Sequence[float]) -> float:
    """What one further lead exceeds with a probability of `WRONG_RATE`, if leads above the median are half a normal.

    Below it they tell how plainly a view shows the product, which says nothing of the views that mix two up.
    """
    middle = float(np.median(leads))
    above = np.array([lead - middle for lead in leads if lead >= middle])
    deviation = math.sqrt(float(np.mean(above**2)) * (1 + 1 / len(above)))
    return middle + NormalDist().inv_cdf(1 - WRONG_RATE) * deviation


@lru_cache(maxsize=2)
def _opened(model_folder: str) -> tuple[Model, Eye]:
    model = Model.open_folder(Path(model_folder))
    return model, Eye.open(model, RuntimeOptions(threads=1))
