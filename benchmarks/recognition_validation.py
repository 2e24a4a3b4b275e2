"""Which keypoints, which description and which matching serve: recall on training pictures, one line a choice.

    python benchmarks/recognition_validation.py --pictures ../shared/data/train [--queries 240]

Photos are verified against their own reference and a dozen others:

    hard     hard drawn field views of package scans
    shelf    usual ones, faint, before a shelf of other packages
    thumbs   small usual ones, of references of 200 px
    video    crops of supermarket videos

A choice is judged by how often the right one has most agreeing matches (`agreeing`) and most inliers
(`inliers`), and by how often it has more inliers than 99.9% of the wrong ones have (`certain`). Times are of one
processor and thread.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from skuscan.keypoint_choice import DrawnView, SelectionOptions
from skuscan.keypoint_extraction import KeypointExtractor
from skuscan.keypoints import Keypoints, pack, unpack
from skuscan.picture import fit_longest_side, load_picture
from skuscan.proto.bundle_pb2 import KeypointSpec
from skuscan.verification import VerificationOptions, verify
from skuscan_models.pictures import choose_pictures
from skuscan_models.synthetic.cutout import cut_out
from skuscan_models.synthetic.field_view import draw_field_view, field_view
from skuscan_models.synthetic.view_options import HARD, USUAL
from skuscan_models.training.sources import load_grozi

PRODUCTS = 160
OTHERS = 12  # wrong references for each query
SHELVED = 200  # further packages, which stand on the shelf
THUMB_SIDE = 200  # px
CROPS = 2  # of a video's product, that are looked for
PHOTO_SIDES = (464, 348)  # px: what hand-held photos of public data sets have
SPEC = KeypointSpec(
    detector="orb",
    extractor_version=KeypointExtractor.VERSION,
    longest_side=640,
    query_keypoints=1000,
    reference_keypoints=220,
    candidate_keypoints=1000,
    scale_factor=1.2,
    levels=8,
    fast_threshold=10,
)
PLAIN = SelectionOptions(views=(), crowding=0.0)  # the strongest


class OrbBits(KeypointExtractor):
    """Describes keypoints by the first 160 of ORB's own bits, as it did before decision 0157."""

    def query(self, rgb: np.ndarray) -> Keypoints:
        """As the released one, with other bits."""
        grey = cv2.cvtColor(fit_longest_side(rgb, self._spec.longest_side), cv2.COLOR_RGB2GRAY)
        return self._detect(np.asarray(grey, np.uint8), self._spec.query_keypoints)

    def _described(self, _: np.ndarray, keypoints: Keypoints) -> Keypoints:
        return keypoints  # chosen by those bits, so they have them


@dataclass(frozen=True)
class Choice:
    """One line of the table."""

    name: str
    spec: dict[str, float] = field(default_factory=dict)
    selection: SelectionOptions = field(default_factory=SelectionOptions)
    verification: VerificationOptions = field(default_factory=VerificationOptions)
    extractor: type[KeypointExtractor] = KeypointExtractor


def choices() -> list[Choice]:
    """What is compared: the released choice first, then one change at a time."""
    matching = VerificationOptions()
    small = (DrawnView(0, 1.0, 1.0, 0.5, 1.0), DrawnView(12, 0.8, 0.9, 0.35, 0.6))
    three = (DrawnView(0, 1.0, 1.0, 1.0, 0.8), DrawnView(12, 0.8, 0.9, 0.65, 0.6), DrawnView(-12, 0.9, 0.8, 0.4, 0.6))
    released = SelectionOptions()
    small_alone = replace(released, views=small, response_share=0.1)
    return [
        Choice("as released"),
        Choice(
            "before decision 0158", {"reference_keypoints": 150}, replace(small_alone, located=SPEC.query_keypoints)
        ),
        Choice("ORB's own bits, scan of all places", extractor=OrbBits),
        Choice("scan: the strongest of all places", selection=replace(released, located=SPEC.query_keypoints)),
        Choice("scan: of 2,000 located", selection=replace(released, located=2000)),
        Choice("scan: centring 2", selection=replace(released, centring=2.0)),
        Choice("scan: centring 8", selection=replace(released, centring=8.0)),
        Choice("reference: the strongest", selection=PLAIN),
        Choice("reference: the strongest, spread", selection=replace(PLAIN, crowding=released.crowding)),
        Choice("reference: survivors, not spread", selection=replace(released, crowding=0.0)),
        Choice("reference: two small views", selection=replace(released, views=small)),
        Choice("reference: they alone", selection=small_alone),
        Choice("reference: three views alone", selection=replace(released, views=three, response_share=0.1)),
        *(Choice(f"reference: {count} keypoints", {"reference_keypoints": count}) for count in (100, 150, 300)),
        Choice("query: 500 keypoints", {"query_keypoints": 500}),
        Choice("query: 1,500 keypoints", {"query_keypoints": 1500}),
        Choice("FAST threshold 20", {"fast_threshold": 20}),
        Choice("longest side 480 px", {"longest_side": 480}),
        Choice("longest side 800 px", {"longest_side": 800}),
        Choice("ratio 0.8", verification=replace(matching, ratio=0.8)),
        Choice("ratio 0.9", verification=replace(matching, ratio=0.9)),
        Choice("no votes", verification=replace(matching, turn_tolerance=360, octave_tolerance=9, place_tolerance=99)),
        Choice(
            "no votes, ratio 0.8",
            verification=replace(matching, turn_tolerance=360, octave_tolerance=9, place_tolerance=99, ratio=0.8),
        ),
        Choice("place tolerance 0.25", verification=replace(matching, place_tolerance=0.25)),
        Choice("inlier distance 5 px", verification=replace(matching, inlier_distance=5.0)),
    ]


@dataclass(frozen=True)
class Query:
    """A photo, the product that it shows, and the products that it is held against."""

    photo: np.ndarray
    product: int
    held_against: list[int]


def draw_queries(pictures: Sequence[np.ndarray], count: int) -> list[Query]:
    rng = np.random.default_rng(5)
    longest, shortest = PHOTO_SIDES
    hard = replace(HARD, longest_side=longest, shortest_side=shortest, scale=(0.4, 1.0))
    usual = replace(USUAL, longest_side=longest, shortest_side=shortest)
    queries = []
    for number in range(count):
        product = number % len(pictures)
        photo = field_view(pictures[product], rng, hard if number % 3 else usual)
        others = [int(i) for i in rng.permutation(len(pictures)) if i != product][:OTHERS]
        queries.append(Query(photo, product, [product, *others]))
    return queries


def video_queries(crops: Sequence[Sequence[np.ndarray]]) -> list[Query]:
    """The next largest crops of each product, whose largest one is its reference."""
    rng = np.random.default_rng(7)
    queries = []
    for product, (_, *others) in enumerate(crops):
        for photo in others[:CROPS]:
            wrong = [int(i) for i in rng.permutation(len(crops)) if i != product][:OTHERS]
            queries.append(Query(photo, product, [product, *wrong]))
    return queries


def shelf_queries(pictures: Sequence[np.ndarray], others: Sequence[np.ndarray], count: int) -> list[Query]:
    """Faint packages, as often in a shop's light, before a shelf of products that none of them is held against."""
    rng = np.random.default_rng(11)
    longest, shortest = PHOTO_SIDES
    usual = replace(USUAL, longest_side=longest, shortest_side=shortest, scale=(0.45, 0.95), hand=0.0, things=(0, 1))
    queries = []
    for product in (number % len(pictures) for number in range(count)):
        package = np.ascontiguousarray(cut_out(pictures[product], SPEC.longest_side).rgba[..., :3])
        view = draw_field_view(package, rng, usual)
        height, width = view.picture.shape[:2]
        outlined = np.zeros((height, width), np.float32)
        cv2.fillPoly(outlined, [np.rint(view.outline).astype(np.int32)], 1.0)
        inside = cv2.GaussianBlur(outlined, (5, 5), 1)[:, :, None]
        faint = view.picture.mean() + rng.uniform(0.6, 1.0) * (view.picture - view.picture.mean())
        shelf = cv2.GaussianBlur(_shelf(others, rng, height, width), (0, 0), rng.uniform(0.3, 1.2))
        photo = faint * inside + shelf * (1 - inside) + rng.normal(0, 3, view.picture.shape)
        wrong = [int(i) for i in rng.permutation(len(pictures)) if i != product][:OTHERS]
        queries.append(Query(np.clip(photo, 0, 255).astype(np.uint8), product, [product, *wrong]))
    return queries


def _shelf(packages: Sequence[np.ndarray], rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """(H, W, 3) float32: packages beside each other, in rows."""
    shelf, top = np.zeros((height, width, 3), np.float32), 0
    while top < height:
        tall, left = int(rng.uniform(0.22, 0.5) * height), 0
        while left < width:
            package = packages[int(rng.integers(len(packages)))]
            size = (max(8, package.shape[1] * tall // package.shape[0]), tall)
            shown = cv2.resize(package, size, interpolation=cv2.INTER_AREA)[: height - top, : width - left]
            shelf[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
            left += size[0] + int(rng.integers(4))
        top += tall + int(rng.integers(12))
    return shelf


def thumb_queries(pictures: Sequence[np.ndarray], count: int) -> list[Query]:
    """Photos of a size like the references'."""
    rng = np.random.default_rng(23)
    small = replace(USUAL, longest_side=348, shortest_side=348, scale=(0.55, 1.05))
    queries = []
    for product in (number % len(pictures) for number in range(count)):
        wrong = [int(i) for i in rng.permutation(len(pictures)) if i != product][:OTHERS]
        queries.append(Query(field_view(pictures[product], rng, small), product, [product, *wrong]))
    return queries


def measure(choice: Choice, sets: Sequence[tuple[Sequence[np.ndarray], Sequence[Query]]]) -> str:
    parts, costs = zip(*(_measure_set(choice, pictures, queries) for pictures, queries in sets), strict=True)
    size, reference_ms, verify_ms = np.mean(costs, axis=0)
    return f"{choice.name:36} {' | '.join(parts)} {size:7.0f} {reference_ms:7.1f} {verify_ms:7.2f}"


def _measure_set(
    choice: Choice, pictures: Sequence[np.ndarray], queries: Sequence[Query]
) -> tuple[str, tuple[float, float, float]]:
    """The rates; and what it costs: bytes and milliseconds a reference, milliseconds a verification."""
    spec = KeypointSpec()
    spec.CopyFrom(SPEC)
    for name, value in choice.spec.items():
        setattr(spec, name, value)
    extractor = choice.extractor(spec, choice.selection)
    start = time.thread_time()
    packed = [pack(extractor.reference(picture)) for picture in pictures]
    reference_ms = (time.thread_time() - start) / len(pictures) * 1000
    references = [unpack(data) for data in packed]
    counts, verify_ms = _counts(choice, extractor, references, queries)
    right, wrong = counts[:, 0], counts[:, 1:]
    inliers, agreeing = (right[:, i] > wrong[:, :, i].max(axis=1) for i in (0, 1))
    certain = right[:, 0] > np.quantile(wrong[:, :, 0], 0.999)
    rates = f"{agreeing.mean():8.3f} {inliers.mean():8.3f} {certain.mean():8.3f}"
    return rates, (float(np.mean([len(p) for p in packed])), reference_ms, verify_ms)


def _counts(
    choice: Choice, extractor: KeypointExtractor, references: Sequence[Keypoints], queries: Sequence[Query]
) -> tuple[np.ndarray, float]:
    """(queries, 1 + others, 2) int: inliers and agreeing matches; and milliseconds a verification."""
    counts, spent = [], 0.0
    for query in queries:
        seen = extractor.query(query.photo)
        start = time.thread_time()
        found = [verify(seen, references[i], choice.verification) for i in query.held_against]
        spent += time.thread_time() - start
        counts.append([(geometry.inliers, geometry.agreeing) for geometry in found])
    return np.array(counts), spent / (len(queries) * (1 + OTHERS)) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder with boxes and grozi120")
    parser.add_argument("--queries", type=int, default=240)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    boxes = given.pictures / "boxes"
    paths = choose_pictures(boxes, PRODUCTS, seed=0)
    shelved = set(choose_pictures(boxes, PRODUCTS + SHELVED, seed=0)) - set(paths)  # a larger choice holds a smaller
    pictures, others = ([load_picture(path) for path in part] for part in (paths, sorted(shelved)))
    products = load_grozi(given.pictures, "train") + load_grozi(given.pictures, "validation")
    crops = [sorted(product.pictures, key=lambda crop: -crop.size) for product in products]
    sets = {
        "hard": (pictures, draw_queries(pictures, given.queries)),
        "shelf": (pictures, shelf_queries(pictures, others, given.queries)),
        "thumbs": ([fit_longest_side(p, THUMB_SIDE) for p in pictures], thumb_queries(pictures, given.queries)),
        "video": ([largest for largest, *_ in crops], video_queries(crops)),
    }
    names = " | ".join(f"{name + ':':8} inliers  certain" for name in sets)
    print(f"{'most agreeing, inliers; certain':36} {names} {'bytes':>7} {'ref ms':>7} {'ver ms':>7}")
    for choice in choices():
        print(measure(choice, list(sets.values())), flush=True)


if __name__ == "__main__":
    main()
