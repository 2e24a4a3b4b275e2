"""ORB keypoints of scans and references, and the choice of a reference's few.

ORB finds them; what they look like is described by a trained network (`descriptors.py`). A query keeps what the
detector finds strongest. A reference travels to every device, so it keeps few, and these must be the ones that a
hand-held photo will show again:

1. detect many candidates (Rublee et al. 2011, "ORB: an efficient alternative to SIFT or SURF");
2. draw a few cheap field views (turned, tilted, small, blurred), detect again, and count for each candidate the views
   in which a keypoint stands at its place with nearly its descriptor (ORB's own, which costs nothing more there);
3. take them greedily by that worth, each pick lowering the worth of its neighbours, so that they spread over the
   package; candidates whose patch reaches into the plain background around a cut-out count for less.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.descriptors import DESCRIPTOR_BYTES, describe
from skuscan.errors import ModelError
from skuscan.keypoints import MAX_KEYPOINTS, MAX_SIDE, OCTAVES, Keypoints, squared_distances
from skuscan.picture import fit_longest_side
from skuscan.proto.bundle_pb2 import KeypointSpec

PATCH_SIZE = 31  # px at the keypoint's own scale, ORB's descriptor patch

_HOPEFUL = 3  # times as many candidates as are kept are worth a comparison
_PLAIN_RANGE = 6  # grey levels that JPEG adds to a plain background

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]
Grey = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class ExaminedReference:
    """A reference's keypoints, and what their choice showed of the picture.

    Attributes:
        keypoints: Those kept, best first.
        survived: (N,) bool: which of them a drawn view showed again.
        rgb: (H, W, 3) uint8, the picture as it was looked at.
        grey: (H, W) uint8, the same.
        background: (H, W) uint8: 1 in the plain background around a cut-out, else 0.
        package: (x, y, width, height), px in `grey`: the box of all that is not plain background around a cut-out.
    """

    keypoints: Keypoints
    survived: npt.NDArray[np.bool_]
    rgb: ByteArray
    grey: Grey
    background: ByteArray
    package: tuple[int, int, int, int]


@dataclass(frozen=True)
class DrawnView:
    """One cheap field view of a reference: turned, squeezed along an axis as by a tilt, shrunk, blurred."""

    turn: float  # degrees
    squeeze_x: float  # factor
    squeeze_y: float  # factor
    scale: float  # factor
    blur: float  # px, standard deviation, after shrinking


@dataclass(frozen=True)
class SelectionOptions:
    """How a reference's keypoints are chosen. A choice changes no descriptor, and so no feature space."""

    views: tuple[DrawnView, ...] = (
        DrawnView(turn=0, squeeze_x=1.0, squeeze_y=1.0, scale=0.5, blur=1.0),
        DrawnView(turn=12, squeeze_x=0.8, squeeze_y=0.9, scale=0.35, blur=0.6),
    )
    view_keypoints: int = 500
    place_tolerance: float = 4.0  # px at the keypoint's own scale
    descriptor_tolerance: int = 38  # bits of 160
    response_share: float = 0.1  # of one view's worth, given to the strongest candidate: breaks ties
    crowding: float = 0.2  # worth that a pick takes from a candidate at its own place
    crowding_radius: float = 15.0  # px, where that has fallen to 0.6 of it


class KeypointExtractor:
    """Finds keypoints as one spec says. Immutable; safe in any thread.

    Args:
        spec: Of the model's artefact.
        selection: How a reference's keypoints are chosen.

    Raises:
        ModelError: The spec asks for another detector, another version of it, or impossible numbers.
    """

    VERSION: Final = "orb-3"

    def __init__(self, spec: KeypointSpec, selection: SelectionOptions | None = None) -> None:
        if (spec.detector, spec.extractor_version) != ("orb", self.VERSION):
            raise ModelError(
                f"keypoints are those of detector orb, extractor {self.VERSION}",
                f"{spec.detector!r}, {spec.extractor_version!r}",
                "update skuscan",
            )
        counts = (spec.query_keypoints, spec.reference_keypoints, spec.candidate_keypoints)
        sound = 1 <= spec.levels <= OCTAVES and 1.01 <= spec.scale_factor <= 2 and 0 < spec.longest_side <= MAX_SIDE
        if not sound or min(counts) < 1 or spec.reference_keypoints > MAX_KEYPOINTS:
            raise ModelError("a keypoint spec has possible numbers", str(spec))
        self._spec = spec
        self._selection = selection or SelectionOptions()

    def query(self, rgb: ByteArray) -> Keypoints:
        """The strongest keypoints of a scan.

        Args:
            rgb: (H, W, 3) uint8.
        """
        grey = _grey(self._fitted(rgb))
        return self._described(grey, self.locate(grey, self._spec.query_keypoints))

    def locate(self, grey: Grey, count: int) -> Keypoints:
        """The strongest keypoints of a fitted picture, not described: their bits are 0.

        Args:
            grey: (H, W) uint8.
            count: At most so many.
        """
        if self._is_too_small(grey):
            return Keypoints.empty(grey.shape[1], grey.shape[0])
        found = self._orb(count).detect(grey, None)
        return _of_orb(found, np.zeros((len(found), DESCRIPTOR_BYTES), np.uint8), grey)

    def reference(self, rgb: ByteArray) -> Keypoints:
        """The keypoints of a catalogue picture that its field photos will show again, best first.

        Args:
            rgb: (H, W, 3) uint8.
        """
        return self.examine(rgb).keypoints

    def examine(self, rgb: ByteArray) -> ExaminedReference:
        """The same keypoints, and what their choice showed of the picture.

        Args:
            rgb: (H, W, 3) uint8.
        """
        fitted = self._fitted(rgb)
        grey = _grey(fitted)
        background = _background(grey)
        x, y, width, height = cv2.boundingRect(1 - background)
        package = (x, y, width, height)
        candidates = self._detect(grey, self._spec.candidate_keypoints)
        if not len(candidates):
            return ExaminedReference(candidates, np.zeros(0, np.bool_), fitted, grey, background, package)
        views = self._survivals(grey, candidates)
        worth = views * (1 - _background_share(background, candidates, self._spec.scale_factor))
        kept = _spread_out(candidates.xy, worth, self._spec.reference_keypoints, self._selection)
        keypoints = self._described(grey, candidates.take(kept))
        return ExaminedReference(keypoints, views[kept] >= 1, fitted, grey, background, package)

    def _fitted(self, rgb: ByteArray) -> ByteArray:
        return fit_longest_side(rgb, self._spec.longest_side)

    def _detect(self, grey: Grey, count: int) -> Keypoints:
        """As `locate`, with the first 160 of ORB's own bits, by which a picture is compared with views of itself."""
        if self._is_too_small(grey):
            return Keypoints.empty(grey.shape[1], grey.shape[0])
        found, descriptors = self._orb(count).detectAndCompute(grey, None)
        if descriptors is None:
            return Keypoints.empty(grey.shape[1], grey.shape[0])
        return _of_orb(found, np.asarray(descriptors[:, :DESCRIPTOR_BYTES], np.uint8), grey)

    def _is_too_small(self, grey: Grey) -> bool:
        """ORB fails where a level has no pixel."""
        coarsest = self._spec.scale_factor ** (self._spec.levels - 1)
        return bool(min(grey.shape) < max(PATCH_SIZE, coarsest))

    def _described(self, grey: Grey, keypoints: Keypoints) -> Keypoints:
        bits = describe(grey, keypoints.xy, keypoints.octaves, keypoints.angles, self._spec.scale_factor)
        return replace(keypoints, descriptors=bits)

    def _orb(self, count: int) -> cv2.ORB:
        spec = self._spec
        return cv2.ORB.create(
            nfeatures=count,
            scaleFactor=spec.scale_factor,
            nlevels=spec.levels,
            patchSize=PATCH_SIZE,
            fastThreshold=spec.fast_threshold,
        )

    def _survivals(self, grey: Grey, candidates: Keypoints) -> FloatArray:
        """(N,) float32: in how many drawn views a candidate is found again; responses break ties."""
        options = self._selection
        worth = np.linspace(options.response_share, 0, len(candidates), dtype=np.float32)
        for view in options.views:
            drawn, matrix = _draw(grey, view)
            seen = self._detect(drawn, options.view_keypoints)
            if len(seen):
                sizes = self._spec.scale_factor ** candidates.octaves.astype(np.float32) * view.scale
                reach = options.place_tolerance * np.maximum(1, sizes)
                worth += _found_again(candidates, seen, matrix, reach, options.descriptor_tolerance)
        return worth


def _of_orb(found: Sequence[cv2.KeyPoint], descriptors: ByteArray, grey: Grey) -> Keypoints:
    """ORB gives them level by level; here the strongest are first."""
    if not found:
        return Keypoints.empty(grey.shape[1], grey.shape[0])
    # Number by number: an array of objects' attributes takes three times as long.
    count = len(found)
    responses = np.fromiter((k.response for k in found), np.float32, count)
    strongest = np.argsort(-responses, kind="stable")
    return Keypoints(
        np.asarray(cv2.KeyPoint.convert(found), np.float32),
        descriptors,
        np.fromiter((k.octave for k in found), np.uint8, count),
        np.fromiter((k.angle for k in found), np.float32, count) % np.float32(360),
        grey.shape[1],
        grey.shape[0],
    ).take(strongest)


def _grey(rgb: ByteArray) -> Grey:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def _draw(grey: Grey, view: DrawnView) -> tuple[Grey, FloatArray]:
    """A view of a picture, and the (2, 3) float32 that maps the picture's pixels into it."""
    turn = np.deg2rad(view.turn)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = np.diag([view.squeeze_x, view.squeeze_y]) @ rotation * view.scale
    height, width = grey.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) @ linear.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    matrix = np.column_stack([linear, -low])
    size = (max(1, int(np.ceil(high[0] - low[0]))), max(1, int(np.ceil(high[1] - low[1]))))
    # Shrinking without a blur first would draw corners that no camera shows.
    smooth = cv2.GaussianBlur(grey, (0, 0), 0.5 / view.scale)
    drawn = cv2.warpAffine(smooth, matrix, size, flags=cv2.INTER_LINEAR, borderValue=255)
    return np.asarray(cv2.GaussianBlur(drawn, (0, 0), view.blur), np.uint8), matrix.astype(np.float32)


def _found_again(
    candidates: Keypoints, seen: Keypoints, matrix: FloatArray, reach: FloatArray, tolerance: int
) -> npt.NDArray[np.bool_]:
    """(N,) bool: whether a keypoint of the view stands where the candidate should, with nearly its descriptor."""
    places = candidates.xy @ matrix[:, :2].T + matrix[:, 2]
    order = np.argsort(seen.xy[:, 0], kind="stable")
    across = seen.xy[order, 0]
    first = np.searchsorted(across, places[:, 0] - reach)
    in_strip = np.searchsorted(across, places[:, 0] + reach, side="right") - first
    rows = np.repeat(np.arange(len(places)), in_strip)
    columns = order[np.arange(len(rows)) - np.repeat(np.cumsum(in_strip) - in_strip, in_strip) + first[rows]]
    x_off, y_off = places[rows, 0] - seen.xy[columns, 0], places[rows, 1] - seen.xy[columns, 1]
    close = x_off * x_off + y_off * y_off < reach[rows] ** 2
    rows, columns = rows[close], columns[close]
    unlike = candidates.descriptors.view(np.uint32)[rows] ^ seen.descriptors.view(np.uint32)[columns]
    differing = _bits_set()[unlike.view(np.uint16)].sum(axis=1, dtype=np.int32)
    found = np.zeros(len(candidates), np.bool_)
    found[rows[differing <= tolerance]] = True
    return found


@cache
def _bits_set() -> ByteArray:
    """(65536,) uint8: how many bits of a number of 16 bits are set. Made when a reference is first examined."""
    numbers = np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    return np.asarray(np.unpackbits(numbers, axis=1).sum(axis=1, dtype=np.uint8))


def _background(grey: Grey) -> Grey:
    """(H, W) uint8: 1 in the plain background around a cut-out, else 0.

    It is what a flood from the four corners reaches without leaving a corner's own grey.
    """
    height, width = grey.shape
    flooded = np.zeros((height + 2, width + 2), np.uint8)
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (1 << 8)
    for corner in ((0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)):
        cv2.floodFill(grey, flooded, corner, 0, _PLAIN_RANGE, _PLAIN_RANGE, flags)
    return flooded[1:-1, 1:-1]


def _background_share(background: Grey, keypoints: Keypoints, scale_factor: float) -> FloatArray:
    """(N,) float32: the share of a keypoint's patch that is plain background."""
    height, width = background.shape
    sums = cv2.integral(background)
    half = (PATCH_SIZE / 2) * scale_factor ** keypoints.octaves.astype(np.float32)[:, None]
    limits = np.array([width, height])
    x0, y0 = np.clip(np.rint(keypoints.xy - half), 0, limits).astype(np.intp).T
    x1, y1 = np.clip(np.rint(keypoints.xy + half), 0, limits).astype(np.intp).T
    inside = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    return np.asarray(inside / np.maximum(1, (x1 - x0) * (y1 - y0)), np.float32)


def _spread_out(xy: FloatArray, worth: FloatArray, count: int, options: SelectionOptions) -> Rows:
    """Rows of the keypoints to keep, best first: each pick takes worth from its neighbours."""
    hopeful = np.argsort(-worth, kind="stable")[: _HOPEFUL * count]
    places, left = xy[hopeful], worth[hopeful]
    taken = squared_distances(places, places)
    taken *= np.float32(-0.5 / options.crowding_radius**2)
    np.exp(taken, out=taken)
    taken *= np.float32(options.crowding)
    picks = np.zeros(min(count, len(xy)), np.intp)
    for i in range(len(picks)):
        picks[i] = best = int(np.argmax(left))
        left -= taken[best]
        left[best] = -np.inf
    return hopeful[picks]
