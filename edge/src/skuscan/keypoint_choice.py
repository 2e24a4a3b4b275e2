"""The choice of keypoints: a scan's thousand, and the few that a reference keeps.

A scan's are the strongest, but shelves around a product are often stronger than its own print, and whoever scans
something holds it into the middle: so what is far from the middle must be stronger.

A reference travels to every device, so it keeps few, and these must be the ones that a hand-held photo will show again:

1. detect many candidates;
2. draw a cheap field view (turned, tilted, small, blurred), detect again, and look for each candidate whether a
   keypoint stands at its place with nearly its descriptor (ORB's own, which costs nothing more there);
3. a candidate's worth is that and its rank by strength: fine print does not come again in a small view, and does in the
   photo of someone who holds the product near; one whose patch reaches into the plain background around a cut-out
   counts for less;
4. take them greedily, each pick lowering the worth of its neighbours, so that they spread over the package.

A choice changes no descriptor, and so no feature space.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.keypoints import OCTAVES, Keypoints, squared_distances

_LEAST_RESPONSE = 1e-12  # of a keypoint: its logarithm is taken
_HOPEFUL = 3  # times as many candidates as are kept are worth a comparison

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]
Grey = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.intp]


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
    """How keypoints are chosen; on training pictures, see docs/decisions/0158."""

    located: int = 3000  # keypoints of a scan, of which some are kept
    centring: float = 4.0  # logarithm of the response that the middle of a frame's side must have more than its centre
    views: tuple[DrawnView, ...] = (DrawnView(turn=12, squeeze_x=0.85, squeeze_y=0.95, scale=0.6, blur=0.8),)
    view_keypoints: int = 500
    place_tolerance: float = 4.0  # px at the keypoint's own scale
    descriptor_tolerance: int = 38  # bits of 160
    response_share: float = 1.0  # of one view's worth, given to the strongest candidate: fine print has its share
    crowding: float = 0.2  # worth that a pick takes from a candidate at its own place
    crowding_radius: float = 15.0  # px, where that has fallen to 0.6 of it


def most_central(located: Keypoints, responses: FloatArray, count: int, options: SelectionOptions) -> Rows:
    """Rows of the keypoints of a scan to keep, in their order: the same share of each octave.

    Args:
        located: (N) keypoints.
        responses: (N,) float32, how strong they are.
        count: How many to keep, at most.
        options: How.
    """
    if len(located) <= count:
        return np.arange(len(located))
    middle = np.array([located.width, located.height], np.float32) / 2
    off = located.xy / middle - 1
    worth = np.log(np.maximum(responses, _LEAST_RESPONSE)) - np.float32(options.centring) * (off * off).sum(axis=1)
    order = np.lexsort((-worth, located.octaves))
    of_octave = np.bincount(located.octaves, minlength=OCTAVES)
    ranks = np.arange(len(order)) - (np.cumsum(of_octave) - of_octave)[located.octaves[order]]
    kept = ranks < (of_octave * count // len(located))[located.octaves[order]]
    return np.sort(order[kept])


def draw_view(grey: Grey, view: DrawnView) -> tuple[Grey, FloatArray]:
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


def found_again(
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


def background_share(background: Grey, xy: FloatArray, sides: FloatArray) -> FloatArray:
    """(N,) float32: the share of each patch that is plain background.

    Args:
        background: (H, W) uint8: 1 in it, else 0.
        xy: (N, 2) float32, the patches' middles, px.
        sides: (N,) float32, their sides, px.
    """
    height, width = background.shape
    sums = cv2.integral(background)
    half = sides[:, None] / 2
    limits = np.array([width, height])
    x0, y0 = np.clip(np.rint(xy - half), 0, limits).astype(np.intp).T
    x1, y1 = np.clip(np.rint(xy + half), 0, limits).astype(np.intp).T
    inside = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    return np.asarray(inside / np.maximum(1, (x1 - x0) * (y1 - y0)), np.float32)


def spread_out(xy: FloatArray, worth: FloatArray, count: int, options: SelectionOptions) -> Rows:
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
