"""Which keypoints, which description and which matching serve: recall on training pictures, one line a choice.

    python benchmarks/recognition_validation.py --pictures ../shared/data/train [--queries 240]

Hard drawn field views of package scans, and crops of supermarket videos, are verified against their own reference and a
dozen others. A choice is judged by how often the right one has most agreeing matches (`agreeing`) and most inliers
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

from skuscan.keypoint_extraction import DrawnView, KeypointExtractor, SelectionOptions
from skuscan.keypoints import Keypoints, pack, unpack
from skuscan.picture import fit_longest_side, load_picture
from skuscan.proto.bundle_pb2 import KeypointSpec
from skuscan.verification import VerificationOptions, verify
from skuscan_models.pictures import choose_pictures
from skuscan_models.synthetic.field_view import field_view
from skuscan_models.synthetic.view_options import HARD, USUAL
from skuscan_models.training.sources import load_grozi

PRODUCTS = 160
OTHERS = 12  # wrong references for each query
CROPS = 2  # of a video's product, that are looked for
PHOTO_SIDES = (464, 348)  # px: what hand-held photos of public data sets have
SPEC = KeypointSpec(
    detector="orb",
    extractor_version=KeypointExtractor.VERSION,
    longest_side=640,
    query_keypoints=1000,
    reference_keypoints=150,
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
    large = (DrawnView(0, 1.0, 1.0, 0.8, 0.8), DrawnView(12, 0.8, 0.9, 0.8, 0.6))
    return [
        Choice("as released"),
        Choice("ORB's own bits", extractor=OrbBits),
        Choice("reference: the strongest", selection=PLAIN),
        Choice("reference: the strongest, spread", selection=replace(PLAIN, crowding=0.2)),
        Choice("reference: survivors, not spread", selection=replace(SelectionOptions(), crowding=0.0)),
        Choice("reference: survivors of large views", selection=replace(SelectionOptions(), views=large)),
        *(Choice(f"reference: {count} keypoints", {"reference_keypoints": count}) for count in (96, 112, 128)),
        Choice("reference: 300 keypoints", {"reference_keypoints": 300}),
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


def measure(choice: Choice, sets: Sequence[tuple[Sequence[np.ndarray], Sequence[Query]]]) -> str:
    parts = [_measure_set(choice, pictures, queries) for pictures, queries in sets]
    return f"{choice.name:36} " + " | ".join(parts)


def _measure_set(choice: Choice, pictures: Sequence[np.ndarray], queries: Sequence[Query]) -> str:
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
    numbers = f"{agreeing.mean():9.3f} {inliers.mean():8.3f} {certain.mean():8.3f}"
    return f"{numbers} {np.mean([len(p) for p in packed]):7.0f} {reference_ms:7.1f} {verify_ms:7.2f}"


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
    pictures = [load_picture(path) for path in choose_pictures(given.pictures / "boxes", PRODUCTS, seed=0)]
    queries = draw_queries(pictures, given.queries)
    products = load_grozi(given.pictures, "train") + load_grozi(given.pictures, "validation")
    crops = [sorted(product.pictures, key=lambda crop: -crop.size) for product in products]
    sets = [(pictures, queries), ([largest for largest, *_ in crops], video_queries(crops))]
    columns = f"{'agreeing':>9} {'inliers':>8} {'certain':>8} {'bytes':>7} {'ref ms':>7} {'ver ms':>7}"
    print(f"{'drawn views of boxes | video crops':36} {columns} | {columns}")
    for choice in choices():
        print(measure(choice, sets), flush=True)


if __name__ == "__main__":
    main()
