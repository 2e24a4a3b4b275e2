"""What tells near-duplicates of one brand apart: one line for each kind of evidence, on drawn families.

    python -m benchmarks.siblings_validation [--families 60] [--photos 240]

Each photo is a drawn field view of one variant, verified against all variants of its family: nothing is searched, so a
line says what the evidence itself is worth. Only photos count in which the right variant and a sibling are found.
`first` is how often the right variant has most of it. `left out` is how often the right variant, beside its siblings,
has more of it than the best sibling has in another photo, from whose family the right one was left out: what a
threshold can use.
"""

import argparse
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from benchmarks.recognition_validation import SPEC
from skuscan.appearance import SCAN_SIDE, Appearance, describe, look, pack, unpack
from skuscan.decision import Evidence, Measured, compare
from skuscan.keypoint_extraction import KeypointExtractor
from skuscan.keypoints import Keypoints
from skuscan.keypoints import pack as pack_keypoints
from skuscan.keypoints import unpack as unpack_keypoints
from skuscan.picture import fit_longest_side
from skuscan.verification import VerificationOptions, verify
from skuscan_models.synthetic.field_view import field_view
from skuscan_models.synthetic.packaging import TRAIN_FAMILIES, design, draw_front
from skuscan_models.synthetic.view_options import mixed

VARIANTS = 4
PHOTO_SIDES = (240, 640)  # px, longest side
SEED = 8
EVIDENCE: dict[str, Callable[[Evidence], float]] = {
    "inliers": lambda e: e.inliers,
    "agreeing matches": lambda e: e.agreeing,
    "inliers that no rival shares": lambda e: e.own_inliers,
    "colours agree where siblings differ": lambda e: e.agreement,
    "contest of colours": lambda e: e.contest,
}

Stored = tuple[Keypoints, Appearance | None]


def stored_of(picture: np.ndarray, extractor: KeypointExtractor) -> Stored:
    examined = extractor.examine(picture)
    return unpack_keypoints(pack_keypoints(examined.keypoints)), unpack(pack(describe(examined)))


def measured(photo: np.ndarray, family: Sequence[Stored], extractor: KeypointExtractor) -> list[Measured]:
    query, small = extractor.query(photo), fit_longest_side(photo, SCAN_SIDE)
    found = []
    for number, (keypoints, appearance) in enumerate(family):
        geometry = verify(query, keypoints, VerificationOptions())
        view = look(small, (query.width, query.height), appearance, geometry.homography)
        found.append(Measured(str(number), "", 0.0, geometry, view))
    return found


def scans(families: int, photos: int) -> list[tuple[int, list[Evidence], list[Evidence]]]:
    """For each photo that counts: the right variant's number, the evidence with it and without it."""
    rng = np.random.default_rng(SEED)
    extractor = KeypointExtractor(SPEC)
    chosen = [int(f) for f in rng.choice(np.array(TRAIN_FAMILIES), families, replace=False)]
    pictures = {f: [draw_front(design(0, f, variant)) for variant in range(VARIANTS)] for f in chosen}
    stored = {f: [stored_of(picture, extractor) for picture in drawn] for f, drawn in pictures.items()}
    kept = []
    for number in range(photos):
        family, right = chosen[number % families], int(rng.integers(VARIANTS))
        photo = field_view(pictures[family][right], rng, mixed(number))
        candidates = measured(fit_longest_side(photo, int(rng.integers(*PHOTO_SIDES))), stored[family], extractor)
        others = [candidate for i, candidate in enumerate(candidates) if i != right]
        if candidates[right].view is not None and any(other.view is not None for other in others):
            kept.append((right, compare(candidates), compare(others)))
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--families", type=int, default=60)
    parser.add_argument("--photos", type=int, default=240)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    kept = scans(given.families, given.photos)
    print(f"{len(kept)} photos\n{'evidence':36} {'first':>7} {'left out':>9}")
    for name, of in EVIDENCE.items():
        first = np.mean([of(whole[right]) > max(of(e) for e in rest_of(whole, right)) for right, whole, _ in kept])
        present = np.array([of(whole[right]) for right, whole, _ in kept])
        absent = np.array([max(of(e) for e in others) for _, _, others in kept])
        above = (present[:, None] > absent).mean() + (present[:, None] == absent).mean() / 2
        print(f"{name:36} {first:7.3f} {above:9.3f}")


def rest_of(evidence: Sequence[Evidence], right: int) -> list[Evidence]:
    return [e for i, e in enumerate(evidence) if i != right]


if __name__ == "__main__":
    main()
