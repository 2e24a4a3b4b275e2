"""Patches of one printed place, seen on the package and on a drawn photo of it.

A package is drawn into photos whose geometry is known (`draw_field_view`). Keypoints of the package and of the photo
are found by the device's own detector; two that stand at one place, with one size and one turn, are a pair. What the
device could confuse them with comes along: other keypoints of the same photo that are on no pair.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.descriptors import cut_patches
from skuscan.keypoint_extraction import KeypointExtractor
from skuscan.picture import fit_longest_side
from skuscan.proto.bundle_pb2 import KeypointSpec
from skuscan_models.synthetic.cutout import cut_out
from skuscan_models.synthetic.field_view import draw_field_view
from skuscan_models.synthetic.view_options import HARD, USUAL

VIEWS = (HARD, USUAL, HARD)  # photos of a package
PHOTO_SIDES = (464, 348)  # px, of hand-held photos in public data sets
SCALES = (0.35, 1.0)  # of the package in the photo
PLACE_TOLERANCE = 4.0  # px at the keypoint's own scale
SIZE_TOLERANCE = 0.3  # of the sizes' logarithms
TURN_TOLERANCE = 25.0  # degrees
MOST, LEAST = 160, 12  # pairs of a photo
LEAST_KEYPOINTS, LEAST_SIDE = 30, 80  # of a picture that says anything

Picture = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PatchPairs:
    """N pairs.

    Attributes:
        package: (N, 256) uint8, patches of the package.
        photo: (N, 256) uint8, the same places in a photo.
        other: (N, 256) uint8, places of that photo that are in no pair.
        places: (N, 3, 3) float32: for each of the three, x, y and size of a pixel of its octave, px of its picture.
        photos: (N,) int64, the number of the photo.
    """

    package: Picture
    photo: Picture
    other: Picture
    places: FloatArray
    photos: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.photos)


def draw_pairs(
    fronts: Sequence[Callable[[], Picture]], spec: KeypointSpec, seed: int, processes: int
) -> Iterator[PatchPairs]:
    """Pairs of each front in turn, drawn in processes, which call `fronts`; photos are numbered over all fronts."""
    context = multiprocessing.get_context("spawn")  # forked processes would inherit locks of other threads
    with ProcessPoolExecutor(processes, context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        draw = partial(_pairs_of_number, spec.SerializeToString(), seed)
        for number, pairs in enumerate(pool.map(draw, range(len(fronts)), fronts, chunksize=4)):
            yield replace(pairs, photos=pairs.photos + len(VIEWS) * number)


def _pairs_of_number(spec: bytes, seed: int, number: int, front: Callable[[], Picture]) -> PatchPairs:
    return pairs_of(front(), np.random.default_rng((seed, number)), KeypointSpec.FromString(spec))


def pairs_of(front: Picture, rng: np.random.Generator, spec: KeypointSpec) -> PatchPairs:
    """The pairs of a front and three drawn photos of it; none where too little is found.

    Args:
        front: (H, W, 3) uint8 RGB.
        rng: Source of every choice.
        spec: Of the keypoints.
    """
    package = np.ascontiguousarray(cut_out(front, spec.longest_side).rgba[..., :3])
    found: list[PatchPairs] = []
    if min(package.shape[:2]) >= LEAST_SIDE:
        frame = fit_longest_side(package, spec.longest_side)
        reference = _Seen(frame, spec)
        for number, options in enumerate(VIEWS):
            longest, shortest = PHOTO_SIDES
            view = draw_field_view(
                package, rng, replace(options, longest_side=longest, shortest_side=shortest, scale=SCALES)
            )
            photo = fit_longest_side(view.picture, spec.longest_side)
            outline = view.outline * np.float32(photo.shape[1] / view.picture.shape[1])
            seen = _Seen(photo, spec)
            found.append(_pairs(reference, seen, _homography(frame, outline), rng, number))
    return join([pairs for pairs in found if len(pairs) >= LEAST])


def join(parts: Sequence[PatchPairs]) -> PatchPairs:
    """Several one after another; the numbers of photos are the parts' own."""
    if not parts:
        none = np.zeros((0, 256), np.uint8)
        return PatchPairs(none, none, none, np.zeros((0, 3, 3), np.float32), np.zeros(0, np.int64))
    return PatchPairs(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in PatchPairs.__dataclass_fields__)
    )


class _Seen:
    """The keypoints of a fitted picture, their patches and places."""

    def __init__(self, picture: Picture, spec: KeypointSpec) -> None:
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        self.keypoints = found = KeypointExtractor(spec).locate(grey, spec.query_keypoints)
        self.sizes = found.sizes(spec.scale_factor)
        self.places = np.column_stack([found.xy, self.sizes]).astype(np.float32)
        self.patches = cut_patches(grey, found.xy, found.octaves, found.angles, spec.scale_factor)


def _homography(frame: Picture, outline: FloatArray) -> npt.NDArray[np.float64]:
    """(3, 3): the package's frame -> the photo."""
    height, width = frame.shape[:2]
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - np.float32(0.5)
    return np.asarray(cv2.getPerspectiveTransform(corners, outline.astype(np.float32)))


def _pairs(
    reference: _Seen, photo: _Seen, homography: npt.NDArray[np.float64], rng: np.random.Generator, number: int
) -> PatchPairs:
    if min(len(reference.keypoints), len(photo.keypoints)) < LEAST_KEYPOINTS:
        return join([])
    apart = _distances(reference, photo, homography)
    nearest = apart.argmin(axis=1)
    own = np.arange(len(apart))
    paired = np.flatnonzero(np.isfinite(apart[own, nearest]) & (apart[:, nearest].argmin(axis=0) == own))
    rows = rng.permutation(paired)[:MOST]
    columns = nearest[rows]
    rest = rng.permutation(np.setdiff1d(np.arange(len(photo.keypoints)), nearest[paired]))
    others = np.resize(rest, len(rows)) if len(rest) else columns
    places = np.stack([reference.places[rows], photo.places[columns], photo.places[others]], axis=1)
    return PatchPairs(
        reference.patches[rows],
        photo.patches[columns],
        photo.patches[others],
        places,
        np.full(len(rows), number, np.int64),
    )


def _distances(reference: _Seen, photo: _Seen, homography: npt.NDArray[np.float64]) -> FloatArray:
    """(R, Q): px at the photo keypoint's scale from where the reference's should be; inf where the two differ."""
    xy, count = reference.keypoints.xy, len(reference.keypoints)
    steps = np.concatenate([xy, xy + np.array((1, 0), np.float32), xy + np.array((0, 1), np.float32)])
    seen = cv2.perspectiveTransform(steps[:, None], homography)[:, 0]
    there, right, below = seen[:count], seen[count : 2 * count] - seen[:count], seen[2 * count :] - seen[:count]
    scale = np.sqrt(np.abs(right[:, 0] * below[:, 1] - right[:, 1] * below[:, 0]))
    turn = np.rad2deg(np.arctan2(right[:, 1] - below[:, 0], right[:, 0] + below[:, 1]))
    size_step = np.log(reference.sizes * np.maximum(scale, 1e-3))[:, None] - np.log(photo.sizes)
    turned = reference.keypoints.angles[:, None] + turn[:, None] - photo.keypoints.angles
    apart = np.linalg.norm(there[:, None] - photo.keypoints.xy, axis=2) / photo.sizes
    same = (apart < PLACE_TOLERANCE) & (np.abs((turned + 180) % 360 - 180) < TURN_TOLERANCE)
    same &= np.abs(size_step) < SIZE_TOLERANCE
    return np.where(same, apart, np.inf).astype(np.float32)
