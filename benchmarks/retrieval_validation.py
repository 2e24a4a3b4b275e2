"""Which way of searching keeps the product on the shortlist: tables of what each try gives, on training pictures only.

    python -m benchmarks.retrieval_validation --pictures ../shared/data/train [--artifact DIR] [--distractors 400]

Scans are drawn photos of package scans and of drawn families, small packages among clutter included, and video crops;
none of these products is trained on. Further package scans are added to the catalogue as distractors. Every cell holds
recall@20 of the shortlist and, after a slash, how often the first answer is right (recall@1 where nothing is verified).
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from skuscan.catalogue import MemoryCatalogue
from skuscan.decision import Decider, Measured
from skuscan.embedding import apply_head, dequantize, quantize
from skuscan.focus import excited_part, is_small
from skuscan.keypoints import Keypoints, pack, unpack
from skuscan.model import Model
from skuscan.picture import fit_longest_side, letterbox
from skuscan.proto.bundle_pb2 import Calibration
from skuscan.proto.catalogue_pb2 import Reference
from skuscan.recognition import RecognizerOptions
from skuscan.runtime import Runtime, RuntimeOptions
from skuscan.scan import Eye
from skuscan.shortlist import Proposal, Shortlister
from skuscan.verification import verify_shortlist
from skuscan_models.artifacts import released_folder
from skuscan_models.synthetic.field_view import field_view
from skuscan_models.synthetic.packaging import VALIDATION_FAMILIES, design, draw_front
from skuscan_models.synthetic.view_options import HARD, USUAL
from skuscan_models.training.sources import load_boxes, load_grozi

ARTIFACT = released_folder()
SMALL = replace(HARD, scale=(0.25, 0.5), things=(6, 14), min_visible=0.8)  # a package among others
VIEWS = {"usual": USUAL, "hard": HARD, "small": SMALL}
PHOTO_SIDES = (240, 640)  # px, longest side of a drawn photo
FAMILIES, VARIANTS = 40, 3  # drawn
SHORTLIST = RecognizerOptions().shortlist
KEYPOINT_REACH = 1.8  # standard deviations from the centre to a crop's edge
CROWD, CROWDING_SHARES = 20, (0.3, 0.5)
SEED = 3

Picture = np.ndarray


@dataclass(frozen=True)
class Scan:
    """A photo, what it shows, and what was computed of it: an embedding of each crop, and keypoints.

    `is_small`: whether what excites the network is a small part of it.
    """

    kind: str
    sku: str
    vectors: dict[str, np.ndarray]
    keypoints: Keypoints
    is_small: bool


class Encoder:
    """A model with its feature map laid open."""

    def __init__(self, model: Model) -> None:
        options = RuntimeOptions(threads=1)
        self.model, self.eye = model, Eye.open(model, options)
        self._network, self._spec = Runtime.open(model.backbone, options), model.artifact.preprocess

    def scan(self, kind: str, sku: str, rgb: Picture) -> Scan:
        """Everything that a search may ask of a photo."""
        keypoints = self.eye.keypoints.query(rgb)
        whole, middle = self._features(rgb), np.array(rgb.shape[1::-1]) / 2
        left, top, right, bottom = part = excited_part(whole, *rgb.shape[:2])
        crops = {
            "centre .75": _cut(rgb, middle, 0.75 * middle),
            "centre .55": _cut(rgb, middle, 0.55 * middle),
            "activation": rgb[top:bottom, left:right],
            "keypoints": _cut(rgb, *_keypoint_box(keypoints, rgb)),
        }
        vectors = {name: apply_head(self.model.head, self._features(crop)) for name, crop in crops.items()}
        vectors["whole"] = apply_head(self.model.head, whole)
        return Scan(kind, sku, vectors, keypoints, is_small(part, *rgb.shape[:2]))

    def reference(self, sku: str, rgb: Picture) -> Reference:
        """The record of a catalogue picture."""
        return Reference(
            sku=sku,
            reference_id=f"{0:016x}",
            embedding=quantize(self.eye.embedder.embed_reference(rgb)).tobytes(),
            keypoints=pack(self.eye.keypoints.reference(rgb)),
        )

    def _features(self, rgb: Picture) -> np.ndarray:
        return self._network.run(letterbox(rgb, self._spec.size, self._spec.letterbox_grey)[np.newaxis])


def _cut(rgb: Picture, middle: np.ndarray, reach: np.ndarray) -> Picture:
    """The box around a middle (x, y), px; the picture itself when that leaves almost nothing."""
    height, width = rgb.shape[:2]
    x0, y0 = np.clip(np.rint(middle - reach), 0, (width, height)).astype(int)
    x1, y1 = np.clip(np.rint(middle + reach), 0, (width, height)).astype(int)
    return rgb[y0:y1, x0:x1] if min(x1 - x0, y1 - y0) >= 16 else rgb


def _keypoint_box(keypoints: Keypoints, rgb: Picture) -> tuple[np.ndarray, np.ndarray]:
    """Where most keypoints are: their mean and spread, three times without those outside."""
    whole = np.array(rgb.shape[1::-1])
    if len(keypoints) < 20:
        return whole / 2, whole / 2
    points = keypoints.xy * (max(rgb.shape[:2]) / max(keypoints.width, keypoints.height))
    middle, spread = np.median(points, axis=0), points.std(axis=0)
    for _ in range(3):
        kept = points[(np.abs(points - middle) < KEYPOINT_REACH * spread + 1).all(axis=1)]
        middle, spread = kept.mean(axis=0), kept.std(axis=0)
    return middle, KEYPOINT_REACH * spread


def packages(encoder: Encoder, pictures: Path, distractors: int) -> tuple[list[Reference], list[Scan]]:
    """A catalogue of packages and video crops, and scans of those that are not distractors."""
    rng, references, scans = np.random.default_rng(SEED), [], []
    fronts = {"boxes": [(box.key, box.pictures[0]) for box in load_boxes(pictures, "validation")]}
    designs = [design(SEED, VALIDATION_FAMILIES[f], v) for f in range(FAMILIES) for v in range(VARIANTS)]
    fronts["drawn"] = [(product.sku, draw_front(product)) for product in designs]
    for kind, items in fronts.items():
        for number, (sku, front) in enumerate(items):
            references.append(encoder.reference(sku, front))
            view = list(VIEWS)[number % len(VIEWS)]
            photo = fit_longest_side(field_view(front, rng, VIEWS[view]), int(rng.integers(*PHOTO_SIDES)))
            scans.append(encoder.scan(f"{kind} {view}", sku, photo))
    for instance in load_grozi(pictures, "validation"):
        first, *others = sorted(instance.pictures, key=lambda picture: -picture.size)
        references.append(encoder.reference(instance.key, first))
        scans += [encoder.scan("video", instance.key, other) for other in others]
    for box in load_boxes(pictures, "train")[:distractors]:
        references.append(encoder.reference(box.key, box.pictures[0]))
    return references, scans


class Shop:
    """A catalogue with everything that searches it."""

    def __init__(self, encoder: Encoder, references: Sequence[Reference]) -> None:
        self.catalogue = MemoryCatalogue(encoder.model, references)
        self.shortlister, self._eye = Shortlister(self.catalogue), encoder.eye
        self._decider = Decider(encoder.model.artifact.decision, Calibration())
        self._vectors = dequantize(self.catalogue.base_embeddings)
        self._crowding = _crowding(self._vectors)

    def nearest(self, scan: Scan, crops: Sequence[str]) -> list[Proposal]:
        """By the best similarity of any of the crops."""
        best: dict[str, Proposal] = {}
        for crop in crops:
            for proposal in self.shortlister.nearest(scan.vectors[crop], SHORTLIST):
                if proposal.sku not in best or proposal.similarity > best[proposal.sku].similarity:
                    best[proposal.sku] = proposal
        return sorted(best.values(), key=lambda proposal: -proposal.similarity)[:SHORTLIST]

    def less_crowded(self, scan: Scan, share: float) -> list[Proposal]:
        """By similarity, less a share of how crowded each reference's surroundings are beyond the usual."""
        similarities = np.einsum("d,nfd->nf", scan.vectors["whole"], self._vectors).max(axis=1)
        similarities -= share * (self._crowding - self._crowding.mean())
        rows = np.argsort(-similarities)[:SHORTLIST].tolist()
        return [Proposal(self.catalogue.sku_of_row(row), float(similarities[row]), (row,)) for row in rows]

    def with_votes(self, scan: Scan) -> list[Proposal]:
        """The shortlist as a recogniser makes it at first."""
        nearest = self.shortlister.nearest(scan.vectors["whole"], SHORTLIST)
        return self.shortlister.with_votes(nearest, scan.vectors["whole"], scan.keypoints)

    def with_closer(self, scan: Scan, crops: Sequence[str]) -> list[Proposal]:
        """The shortlist and what crops propose beyond it, each by the best similarity of whole and crops.

        What excites the network is such a crop if it is small, as in a recogniser.
        """
        found, whole = self.with_votes(scan), scan.vectors["whole"]
        for crop in crops:
            counts = crop != "activation" or scan.is_small
            found = self.shortlister.closer(found, whole, scan.vectors[crop], SHORTLIST, part_counts=counts)
        return found

    def first_verified(self, scan: Scan, proposals: Sequence[Proposal]) -> str:
        """The first answer after verification; colours are left out."""
        pairs = [(p, row) for p in proposals for row in p.rows[:1]]
        stored = [unpack(self.catalogue.reference(row).keypoints) for _, row in pairs]
        geometries = verify_shortlist(scan.keypoints, stored, self._eye.verification)
        measured = [Measured(p.sku, "", p.similarity, g) for (p, _), g in zip(pairs, geometries, strict=True)]
        return self._decider.rate(measured)[0].sku


def _crowding(vectors: np.ndarray) -> np.ndarray:
    """(n,): mean similarity of each of n references (n, 2, 256) to the `CROWD` others most like it.

    The part of "cross-domain similarity local scaling" that belongs to references (Conneau et al. 2018, "Word
    translation without parallel data"): what lies among many is near to any scan.
    """
    similarities = np.stack([(vectors @ one.T).max(axis=(1, 2)) for one in vectors])
    np.fill_diagonal(similarities, -1)
    return np.asarray(np.sort(similarities, axis=1)[:, -CROWD:].mean(axis=1))


Search = Callable[[Scan], list[Proposal]]


def searches(shop: Shop) -> Iterator[tuple[str, Search, bool]]:
    """Name, search, and whether its shortlist is verified."""
    crops = ("whole", "centre .75", "centre .55", "activation", "keypoints")
    for crop in crops:
        yield f"embedding, {crop}", partial(shop.nearest, crops=[crop]), False
    yield "best of whole and centre .55", partial(shop.nearest, crops=["whole", "centre .55"]), False
    yield "best of whole and two centres", partial(shop.nearest, crops=crops[:3]), False
    yield "embedding, verified", partial(shop.nearest, crops=["whole"]), True
    for share in CROWDING_SHARES:
        yield f"less {share} crowding", partial(shop.less_crowded, share=share), False
        yield f"less {share} crowding, verified", partial(shop.less_crowded, share=share), True
    yield "best of two centres, verified", partial(shop.nearest, crops=crops[:3]), True
    yield "with votes, verified", shop.with_votes, True
    for crop in crops[1:]:
        yield f"votes, closer: {crop}", partial(shop.with_closer, crops=[crop]), True
    yield "votes, closer: both centres", partial(shop.with_closer, crops=crops[1:3]), True
    yield "votes, closer: keypoints, .55", partial(shop.with_closer, crops=["keypoints", "centre .55"]), True


def print_searches(shop: Shop, scans: Sequence[Scan]) -> None:
    kinds = sorted({scan.kind for scan in scans})
    print(f"{len(shop.catalogue.base_embeddings)} references, {len(scans)} scans; recall@{SHORTLIST}/first answer")
    print(f"{'':32}{'all':>12}" + "".join(f"{kind:>14}" for kind in kinds))
    for name, search, verified in searches(shop):
        outcomes: dict[str, list[tuple[bool, bool]]] = {}
        for scan in scans:
            found = search(scan)
            first = shop.first_verified(scan, found) if verified else found[0].sku
            outcome = any(proposal.sku == scan.sku for proposal in found), first == scan.sku
            for kind in ("all", scan.kind):
                outcomes.setdefault(kind, []).append(outcome)
        cells = ["{:.3f}/{:.3f}".format(*np.mean(outcomes[kind], axis=0)) for kind in ("all", *kinds)]
        print(f"{name:32}{cells[0]:>12}" + "".join(f"{cell:>14}" for cell in cells[1:]), flush=True)


def print_votes(shop: Shop, scans: Sequence[Scan]) -> None:
    (index,) = shop.catalogue.keypoint_indexes
    rows = {shop.catalogue.sku_of_row(row): row for row in range(len(index))}
    start = time.thread_time()
    votes = [index.votes(scan.keypoints) for scan in scans]
    milliseconds = (time.thread_time() - start) / len(scans) * 1000
    ranks = np.array([(v > v[rows[scan.sku]]).sum() for v, scan in zip(votes, scans, strict=True)])
    print(
        f"votes alone: recall@1 {np.mean(ranks < 1):.3f}, @20 {np.mean(ranks < 20):.3f}; {milliseconds:.1f} ms a scan\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder with boxes, grozi120 and produce")
    parser.add_argument("--artifact", type=Path, default=ARTIFACT)
    parser.add_argument("--distractors", type=int, default=400)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    encoder = Encoder(Model.open_folder(given.artifact))
    references, scans = packages(encoder, given.pictures, given.distractors)
    shop = Shop(encoder, references)
    print_votes(shop, scans)
    print_searches(shop, scans)


if __name__ == "__main__":
    main()
