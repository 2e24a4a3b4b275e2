"""What a reference picture's faults cost: `python -m benchmarks.reference_quality --pictures ../shared/data/train`.

Catalogue pictures are made worse on purpose (blurred, shrunk, small in the frame, faint), and enrolled among intact
ones. Usual field views of the intact picture then ask for the product. The tables say which share of these scans finds
it, by value of each measurement and by score; the ranges of `skuscan_server.quality.score` were read from them.
A scan finds its product when `similarity + 0.3 log(1 + inliers)` is greatest there: a rule that needs no fit.
"""

import argparse
import math
import os
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.embedding import Embedder
from skuscan.keypoint_extraction import KeypointExtractor
from skuscan.keypoints import Keypoints
from skuscan.model import Model
from skuscan.picture import fit_longest_side, load_picture
from skuscan.quality import ReferenceQuality, measure
from skuscan.runtime import RuntimeOptions
from skuscan.verification import VerificationOptions, verify
from skuscan_models.synthetic.field_view import field_view
from skuscan_models.synthetic.view_options import USUAL
from skuscan_server.config import ServerConfig
from skuscan_server.quality.score import QualityScale, Range, judge

BOXES, FRAMES = 80, 40  # products
VIEWS = 3  # scans of each
RIVALS = 6  # most similar other products that are verified
INLIER_WEIGHT, FEWEST_INLIERS = 0.3, 6
SEED = 7
INTACT, FILLS = "none", "fills"
SIDE = 320  # px, at which a blur is stated
SCALE = QualityScale(similarity=Range(worst=1.0, best=0.7))  # similarity is not part of this

Picture = npt.NDArray[np.uint8]
Vector = npt.NDArray[np.float32]
Fault = Callable[[Picture], Picture | None]


@dataclass(frozen=True)
class Scan:
    """A field view of one product, and how well the best other product fits it."""

    vector: Vector
    keypoints: Keypoints
    rival: float


@dataclass(frozen=True)
class Outcome:
    """A reference picture, and which share of the scans found it."""

    fault: str
    quality: ReferenceQuality
    found: float


class Bench:
    """The device's own stages."""

    def __init__(self) -> None:
        model = Model.open_folder(ServerConfig().model_folder)
        self._embedder = Embedder.open(model, RuntimeOptions(threads=1))
        self._extractor = KeypointExtractor(model.artifact.keypoints)
        self._options = VerificationOptions()

    def enrol(self, rgb: Picture) -> tuple[Vector, Keypoints, ReferenceQuality]:
        """What is stored of a catalogue picture, both its vectors (2, 256) first, and its quality."""
        examined = self._extractor.examine(rgb)
        quality = measure(rgb.shape[1], rgb.shape[0], examined)
        return self._embedder.embed_reference(rgb), examined.keypoints, quality

    def scan(self, rgb: Picture) -> tuple[Vector, Keypoints]:
        """What a device makes of a photo."""
        return self._embedder.embed(rgb), self._extractor.query(rgb)

    def fit(self, scan: tuple[Vector, Keypoints], both: Vector, keypoints: Keypoints) -> float:
        """How well a reference fits a scan."""
        inliers = verify(scan[1], keypoints, self._options).inliers
        counted = inliers if inliers >= FEWEST_INLIERS else 0
        return float((both @ scan[0]).max()) + INLIER_WEIGHT * math.log1p(counted)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder with boxes/ and grozi120/")
    pictures = [load_picture(path) for path in _choose(parser.parse_args().pictures)]
    cv2.setNumThreads(1)
    outcomes = _outcomes(pictures)
    print(f"{len(outcomes)} reference pictures of {len(pictures)} products, {VIEWS} scans each: share that found it")
    _print("fault", _by_fault(outcomes))
    not_small = [outcome for outcome in outcomes if not outcome.fault.startswith(FILLS)]
    sides = [24, 48, 64, 96, 128, 200, 330]
    _print("length, px", _by(not_small, lambda q: max(q.package_width, q.package_height), sides))
    share = [0, 0.2, 0.3, 0.4, 0.55, 0.8, 1.01]
    _print("fills", _by(outcomes, lambda q: max(q.package_width, q.package_height) / max(q.width, q.height), share))
    _print("blur", _by(not_small, lambda q: q.blur, [0, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 1.01]))
    _print("surviving", _by(not_small, lambda q: q.surviving, [0, 1, 5, 10, 20, 30, 50, 75, 100, 150, 221]))
    _print("spread", _by(not_small, lambda q: q.spread, [0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.01]))
    scores = [*range(0, 100, 10), 101]
    _print("score", _by(outcomes, lambda q: judge(q, None, SCALE).score, scores))
    _print("grade", _by(outcomes, lambda q: judge(q, None, SCALE).score, [0, 40, 60, 101]))
    return 0


def _choose(folder: Path) -> list[Path]:
    """Half of the boxes that are no games, as far as there are; one frame of each of some products."""
    rng = random.Random(SEED)
    boxes = sorted((folder / "boxes").glob("*.jpg"))
    games = [path for path in boxes if path.name.startswith("game_")]
    others = [path for path in boxes if path not in set(games)]
    chosen = rng.sample(games, BOXES // 2) + rng.sample(others, BOXES // 2)
    products = sorted(path for path in (folder / "grozi120").iterdir() if path.is_dir())
    return chosen + [rng.choice(sorted(product.glob("*.jpg"))) for product in rng.sample(products, FRAMES)]


def _faults() -> dict[str, Fault]:
    """Ways to make a picture worse; None where it is that bad already."""
    blurred: dict[str, Fault] = {f"blurred by {sigma} px": partial(_blur, sigma=sigma) for sigma in (0.5, 1, 2, 3, 5)}
    shrunk: dict[str, Fault] = {f"{side} px long": partial(_shrink, side=side) for side in (240, 160, 112, 80, 56, 40)}
    small: dict[str, Fault] = {
        f"{FILLS} {share}": partial(_on_white, share=share) for share in (0.7, 0.5, 0.35, 0.25, 0.15)
    }
    faint: dict[str, Fault] = {f"contrast {share}": partial(_fade, share=share) for share in (0.5, 0.25, 0.12)}
    return {INTACT: lambda rgb: rgb} | blurred | shrunk | small | faint


def _blur(rgb: Picture, sigma: float) -> Picture:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), sigma * max(rgb.shape[:2]) / SIDE), np.uint8)


def _shrink(rgb: Picture, side: int) -> Picture | None:
    return fit_longest_side(rgb, side) if max(rgb.shape[:2]) > side else None


def _fade(rgb: Picture, share: float) -> Picture:
    return np.asarray(128 + share * (rgb.astype(np.float32) - 128), np.uint8)


def _on_white(rgb: Picture, share: float) -> Picture:
    height, width = rgb.shape[:2]
    side = int(max(height, width) / share)
    frame = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    frame[top : top + height, left : left + width] = rgb
    return frame


def _outcomes(pictures: Sequence[Picture]) -> list[Outcome]:
    bench = Bench()
    intact = [bench.enrol(rgb) for rgb in pictures]
    vectors = np.stack([both for both, _, _ in intact])
    outcomes: list[Outcome] = []
    for number, rgb in enumerate(pictures):
        scans = []
        for view in range(VIEWS):
            scan = bench.scan(field_view(rgb, np.random.default_rng((SEED, number, view)), USUAL))
            similarity = (vectors @ scan[0]).max(axis=1)
            similarity[number] = -np.inf
            rivals = np.argsort(-similarity)[:RIVALS]
            scans.append(Scan(*scan, max(bench.fit(scan, *intact[rival][:2]) for rival in rivals)))
        for fault, spoil in _faults().items():
            spoiled = spoil(rgb)
            if spoiled is None or (number % 2 and fault != INTACT):  # every other one is enough
                continue
            both, keypoints, quality = bench.enrol(spoiled)
            fits = [bench.fit((scan.vector, scan.keypoints), both, keypoints) > scan.rival for scan in scans]
            outcomes.append(Outcome(fault, quality, float(np.mean(fits))))
    return outcomes


def _by_fault(outcomes: Sequence[Outcome]) -> dict[str, list[float]]:
    return {fault: [outcome.found for outcome in outcomes if outcome.fault == fault] for fault in _faults()}


def _by(
    outcomes: Sequence[Outcome], value: Callable[[ReferenceQuality], float], borders: Sequence[float]
) -> dict[str, list[float]]:
    return {
        f"{low:g} to {high:g}": [outcome.found for outcome in outcomes if low <= value(outcome.quality) < high]
        for low, high in pairwise(borders)
    }


def _print(name: str, table: dict[str, list[float]]) -> None:
    print(f"\n{name:<20}{'found':>8}{'pictures':>10}")
    for row, found in table.items():
        if found:
            print(f"{row:<20}{np.mean(found):>8.2f}{len(found):>10}")


if __name__ == "__main__":
    sys.exit(main())
