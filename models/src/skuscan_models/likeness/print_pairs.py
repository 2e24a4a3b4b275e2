"""Crops of references and of scans that verification registered to them: of one print, and of siblings.

Fronts that look alike are photographed, and every photo is held against the references of all of them, by the device's
own keypoints and verification. What those register is what the network will be asked about: siblings that share a
layout, with homographies as good and as bad as they come.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.appearance import describe
from skuscan.keypoint_extraction import KeypointExtractor
from skuscan.keypoints import Keypoints
from skuscan.likeness import SIDE, crop
from skuscan.picture import fit_longest_side
from skuscan.proto.bundle_pb2 import KeypointSpec
from skuscan.verification import VerificationOptions, verify
from skuscan_models.synthetic.field_view import field_view, packshot
from skuscan_models.synthetic.view_options import MIXED

PHOTOS = 2  # of the siblings of a family, each of another one
PHOTO_SIDES = (240, 640)  # px, longest side of a photo
PACKSHOT_SIDE = 480  # px
PACKSHOTS = 0.5  # of the references stand at an angle
LEAST_KEYPOINTS = 30  # of a reference that says anything

Picture = npt.NDArray[np.uint8]
Fronts = Callable[[], Sequence[Picture]]


@dataclass(frozen=True)
class PrintPairs:
    """N pairs.

    Attributes:
        references: (N, 128, 128, 3) uint8, crops of references.
        scans: (N, 128, 128, 3) uint8, what a photo shows where the reference was registered.
        same: (N,) bool: whether the photo is of the reference's own product.
        families: (N,) int64, the number of the family.
    """

    references: Picture
    scans: Picture
    same: npt.NDArray[np.bool_]
    families: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.same)

    def take(self, rows: npt.NDArray[np.integer]) -> "PrintPairs":
        """The pairs of some rows, in their order."""
        return PrintPairs(self.references[rows], self.scans[rows], self.same[rows], self.families[rows])


def draw_pairs(families: Sequence[Fronts], spec: KeypointSpec, seed: int, processes: int) -> Iterator[PrintPairs]:
    """Pairs of each family in turn, drawn in processes, which call `families`."""
    context = multiprocessing.get_context("spawn")  # forked processes would inherit locks of other threads
    with ProcessPoolExecutor(processes, context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        draw = partial(_pairs_of_number, spec.SerializeToString(), seed)
        yield from pool.map(draw, range(len(families)), families, chunksize=4)


def _pairs_of_number(spec: bytes, seed: int, number: int, fronts: Fronts) -> PrintPairs:
    pairs = pairs_of(fronts(), np.random.default_rng((seed, number)), KeypointSpec.FromString(spec))
    return PrintPairs(pairs.references, pairs.scans, pairs.same, pairs.families + number)


def pairs_of(fronts: Sequence[Picture], rng: np.random.Generator, spec: KeypointSpec) -> PrintPairs:
    """The pairs of one family: of photos of its first fronts, and the references of all; none that are not registered.

    Args:
        fronts: (H, W, 3) uint8 RGB each.
        rng: Source of every choice.
        spec: Of the keypoints.
    """
    extractor, options = KeypointExtractor(spec), VerificationOptions(scale_factor=spec.scale_factor)
    references = [_Reference.of(front, extractor, rng) for front in fronts]
    found: list[tuple[Picture, Picture, bool]] = []
    for shown, front in enumerate(fronts[:PHOTOS]):
        photo = field_view(front, rng, MIXED[int(rng.integers(len(MIXED)))])
        photo = fit_longest_side(photo, int(rng.integers(*PHOTO_SIDES, endpoint=True)))
        keypoints = extractor.query(photo)
        framed = fit_longest_side(photo, spec.longest_side)
        for number, reference in enumerate(references):
            if len(reference.keypoints) < LEAST_KEYPOINTS:
                continue
            homography = verify(keypoints, reference.keypoints, options).homography
            if homography is not None:
                found.append((reference.crop, crop(framed, homography @ reference.placing), number == shown))
    return _joined(found)


def _joined(found: Sequence[tuple[Picture, Picture, bool]]) -> PrintPairs:
    none = np.zeros((0, SIDE, SIDE, 3), np.uint8)
    references, scans = (np.stack([pair[side] for pair in found]) if found else none for side in (0, 1))
    same = np.array([same for _, _, same in found], np.bool_)
    return PrintPairs(references, scans, same, np.zeros(len(found), np.int64))


def joined(parts: Sequence[PrintPairs]) -> PrintPairs:
    """Several one after another."""
    return PrintPairs(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in PrintPairs.__dataclass_fields__)
    )


@dataclass(frozen=True)
class _Reference:
    keypoints: Keypoints
    placing: npt.NDArray[np.float64]  # the unit square -> what is printed, px of the keypoints' frame
    crop: Picture

    @classmethod
    def of(cls, front: Picture, extractor: KeypointExtractor, rng: np.random.Generator) -> "_Reference":
        picture = packshot(front, rng, PACKSHOT_SIDE) if rng.random() < PACKSHOTS else front
        examined = extractor.examine(picture)
        placing = describe(examined).box_placing
        return cls(examined.keypoints, placing, crop(examined.rgb, placing))
