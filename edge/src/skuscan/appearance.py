"""What a reference's print looks like, cell by cell, and whether a scan looks the same there.

Near-duplicates of one brand share the logo, and so most keypoints. What differs is colour and picture: a band, a
fruit. So a tiny picture of the print travels with each reference.

1. `describe` averages a reference's print over a grid of cells, without the plain background around a cut-out;
2. `look` averages a scan over the same cells, seen through the homography that verification found, and takes shop light
   out: a gain and an offset a channel, fitted robustly;
3. `agreement` says how alike the two are; `rivalry` says it for the cells in which a rival's reference looks different,
   and `contest` which of the two the scan is nearer to.
"""

import struct
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.errors import BundleError
from skuscan.keypoint_extraction import ExaminedReference
from skuscan.keypoints import MAX_SIDE

CELLS = 8  # along each side of the grid
SCAN_SIDE = 320  # px: a scan is averaged down to this first; a cell is rarely finer than its pixels

_FORMAT = 1
_HEADER = struct.Struct("<B4H")  # format; left, top, right, bottom
_MASK_BYTES = -(-CELLS * CELLS // 8)
PACKED_BYTES = _HEADER.size + _MASK_BYTES + 2 * CELLS * CELLS
_STEPS = np.array([31, 63, 31], np.float32)  # of red, green and blue in 16 bits
_SHIFTS = np.array([11, 5, 0], np.uint16)

_SAMPLES = 4  # of a scan, along each side of a cell
_NEUTRAL = 24  # levels between the largest and the smallest channel of a background: white, grey or black
_PRINTED_SHARE = 0.5  # of a cell that is no background
_LEAST_CELLS = 8  # in sight; with fewer, light cannot be told from colour
_LIGHT_ROUNDS = 2  # of reweighting
_LIGHT_SCALE = 20.0  # levels of 255: a cell that is so far off counts half in the fit of light
_LIGHT_PRIOR = 100.0  # levels^2 of variance: where a reference hardly varies, the gain stays near 1
_GAINS = (0.25, 3.0)
_DARK = 10.0  # levels added to both sides of a ratio
_UNLIKE = 25.0  # levels: a cell that is so far off agrees by half
_DIFFERENT = 24.0  # levels: two references that differ by it in a cell make it count half
_CONTEST_PRIOR = 100.0  # levels, added to what two references differ by in all cells: a trifle decides nothing
_AGREEMENT_PRIOR = 2.0  # cells that agree as all do, added to those that differ

Picture = npt.NDArray[np.uint8]
Colours = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Appearance:
    """A tiny picture of a reference's print.

    Attributes:
        box: Left, top, right, bottom of what the grid covers: px of the frame that the reference's keypoints are in.
        colours: (CELLS, CELLS, 3) float32 RGB, 0 to 255, the mean of each cell.
        printed: (CELLS, CELLS) bool: cells that are not plain background.
    """

    box: tuple[int, int, int, int]
    colours: Colours
    printed: Mask

    @cached_property
    def placing(self) -> Matrix:
        """(3, 3) float64: grid coordinates, in which a cell is 1 x 1 and the first begins at 0, -> the frame, px."""
        left, top, right, bottom = self.box
        return np.array([[(right - left) / CELLS, 0, left], [0, (bottom - top) / CELLS, top], [0, 0, 1.0]])

    @cached_property
    def box_placing(self) -> Matrix:
        """(3, 3) float64: the unit square -> the box, px of the frame."""
        left, top, right, bottom = self.box
        return np.array([[right - left, 0, left], [0, bottom - top, top], [0, 0, 1.0]])

    @cached_property
    def layers(self) -> Colours:
        """(CELLS, CELLS, 4) float32: colours, black where nothing is printed, and 1 where something is."""
        return np.dstack([self.colours * self.printed[:, :, None], self.printed]).astype(np.float32)


@dataclass(frozen=True)
class View:
    """A scan seen through the homography of one reference, in the reference's light.

    Attributes:
        reference: What is looked for.
        placing: (3, 3) float64: the reference's grid coordinates -> the scan's frame, px.
        colours: (CELLS, CELLS, 3) float32 RGB, the scan's mean in each cell; means nothing where not seen.
        seen: (CELLS, CELLS) bool: printed, and inside the scan.
    """

    reference: Appearance
    placing: Matrix
    colours: Colours
    seen: Mask

    @cached_property
    def to_grid(self) -> Matrix:
        """(3, 3) float64: the scan's frame -> numbers of the reference's cells, 0 in the middle of the first."""
        return np.asarray(np.linalg.inv(_middles(1.0)) @ np.linalg.inv(self.placing))


@dataclass(frozen=True)
class Rivalry:
    """What a scan's cells say of a reference, where that and a rival's look different.

    Attributes:
        ahead: By how many levels the scan is nearer to it, over all such cells.
        apart: By how many levels the two differ there: `ahead` is between -apart and apart.
        agreement: How far those cells have the reference's colours, 0 to 1; as all cells do when none differs.
    """

    ahead: float
    apart: float
    agreement: float


def describe(examined: ExaminedReference) -> Appearance:
    """The appearance of a catalogue picture, as the choice of its keypoints showed it."""
    # What is plain but coloured is the package's own ground, in a picture that it fills.
    red, green, blue = cv2.split(examined.rgb)  # numpy is slow at the extremes of an axis of three
    apart = cv2.max(cv2.max(red, green), blue) - cv2.min(cv2.min(red, green), blue)
    printed = 1 - examined.background * (apart <= _NEUTRAL)
    left, top, width, height = cv2.boundingRect(printed)
    if not width:  # nothing but background
        printed, (height, width) = np.ones_like(printed), printed.shape
    right, bottom = left + width, top + height
    inside = np.ascontiguousarray(printed[top:bottom, left:right])
    share = _means(inside.astype(np.float32))
    sums = _means(cv2.copyTo(examined.rgb[top:bottom, left:right], inside).astype(np.float32))
    kept = share >= _PRINTED_SHARE
    colours = np.where(kept[:, :, None], sums / np.maximum(share, _PRINTED_SHARE)[:, :, None], 0)
    return Appearance((left, top, right, bottom), colours.astype(np.float32), kept)


def pack(appearance: Appearance) -> bytes:
    """The little-endian form: 9 bytes of format and box, a bit a cell, then 16 bits of colour a cell."""
    levels = np.rint(appearance.colours * (_STEPS / 255)).astype("<u2") << _SHIFTS
    colours: npt.NDArray[np.uint16] = np.bitwise_or.reduce(levels, axis=2).astype("<u2")
    return _HEADER.pack(_FORMAT, *appearance.box) + np.packbits(appearance.printed).tobytes() + colours.tobytes()


def unpack(data: bytes) -> Appearance | None:
    """Read what `pack` wrote; None: nothing is stored. Raises BundleError for anything else."""
    if not data:
        return None
    if len(data) != PACKED_BYTES:
        raise BundleError(f"a packed appearance has {PACKED_BYTES} bytes", f"{len(data)} bytes", "update skuscan")
    version, left, top, right, bottom = _HEADER.unpack_from(data)
    if version != _FORMAT:
        raise BundleError(f"a packed appearance has format {_FORMAT}", f"format {version}", "update skuscan")
    if not (left < right <= MAX_SIDE and top < bottom <= MAX_SIDE):
        raise BundleError("a packed appearance covers a box", f"{left}, {top} to {right}, {bottom}")
    bits = np.frombuffer(data, np.uint8, _MASK_BYTES, _HEADER.size)
    printed = np.unpackbits(bits, count=CELLS * CELLS).reshape(CELLS, CELLS).astype(np.bool_)
    packed = np.frombuffer(data, "<u2", CELLS * CELLS, _HEADER.size + _MASK_BYTES).reshape(CELLS, CELLS, 1)
    colours = ((packed >> _SHIFTS) & _STEPS.astype(np.uint16)) * (255 / _STEPS)
    return Appearance((left, top, right, bottom), colours.astype(np.float32), printed)


def look(
    small: Picture, frame: tuple[int, int], reference: Appearance | None, homography: Matrix | None
) -> View | None:
    """See a scan as a reference's cells.

    Args:
        small: (h, w, 3) uint8 RGB, the scan, its longest side `SCAN_SIDE`.
        frame: Width and height of the frame that the scan's keypoints are in, px.
        reference: What is stored of the reference; None: nothing is.
        homography: (3, 3) float64, the reference's frame -> the scan's; None: it was not found.

    Returns:
        None when too little of the print is known to be in the scan.
    """
    if reference is None or homography is None:
        return None
    placing = homography @ reference.placing
    seen = reference.printed & _in_frame(placing, frame)
    if seen.sum() < _LEAST_CELLS:
        return None
    shrink = np.diag([small.shape[1] / frame[0], small.shape[0] / frame[1], 1.0])
    samples = cv2.warpPerspective(
        small,
        shrink @ placing @ _middles(1 / _SAMPLES),
        (CELLS * _SAMPLES, CELLS * _SAMPLES),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    colours = _means(samples.astype(np.float32))
    gain, offset = _light(reference.colours[seen], colours[seen])
    return View(reference, placing, (colours - offset) / gain, seen)


def agreement(view: View) -> float:
    """How far the seen cells have their reference's colours, 0 to 1."""
    return float(_alike(_distances(view.colours[view.seen], view.reference.colours[view.seen])).mean())


def rivalry(own: View, rival: View) -> Rivalry:
    """Hold a scan's cells against a reference and against a rival, both seen in that scan."""
    # The rival's cells, laid over these: both lie in the scan.
    to_rival = rival.to_grid @ own.placing @ _middles(1.0)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = np.asarray(cv2.warpPerspective(rival.reference.layers, to_rival, (CELLS, CELLS), flags=flags), np.float32)
    share = laid[:, :, 3]
    both = own.seen & (share > _PRINTED_SHARE)
    theirs = laid[both][:, :3] / share[both][:, None]
    ours, here = own.reference.colours[both], own.colours[both]
    apart = _distances(ours, theirs)
    weight = apart * apart / (apart * apart + _DIFFERENT**2)
    off = _distances(here, ours)
    ahead = weight @ (_distances(here, theirs) - off)
    alike = weight @ _alike(off) + _AGREEMENT_PRIOR * agreement(own)
    return Rivalry(float(ahead), float(weight @ apart), float(alike / (weight.sum() + _AGREEMENT_PRIOR)))


def contest(one: Rivalry, other: Rivalry) -> float:
    """Which of two references a scan has the colours of, where these two differ.

    Args:
        one: Of the first against the second.
        other: Of the second against the first. Exchanged, they give the same number with the other sign.

    Returns:
        -1 to 1: above 0 for the first, 0 when they cannot be told apart.
    """
    return (one.ahead - other.ahead) / (one.apart + other.apart + _CONTEST_PRIOR)


def _distances(some: Colours, others: Colours) -> npt.NDArray[np.float32]:
    """(N,) float32 levels: between colours (N, 3)."""
    off = some - others
    return np.asarray(np.sqrt(np.einsum("nc,nc->n", off, off)), np.float32)


def _alike(off: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How far cells agree that are so many levels off, 0 to 1."""
    return _UNLIKE**2 / (_UNLIKE**2 + off * off)


def _light(reference: Colours, scan: Colours) -> tuple[Colours, Colours]:
    """(3,) gain and (3,) offset, so that scan = gain * reference + offset in most of the cells (N, 3).

    Least squares, reweighted as Cauchy's estimator does: a glare, a hand or another fruit has little say. It starts
    from the median gain, or a large coloured band would drag the first fit along.
    """
    low, high = _GAINS
    gain = np.clip(np.median((scan + _DARK) / (reference + _DARK), axis=0), low, high)
    offset = np.zeros(3)
    for _ in range(_LIGHT_ROUNDS):
        off = (scan - offset) / gain - reference
        weight = 1 / (1 + np.einsum("nc,nc->n", off, off)[:, None] / _LIGHT_SCALE**2)
        weight /= weight.sum()
        there, here = (weight * reference).sum(axis=0), (weight * scan).sum(axis=0)
        varies = (weight * (reference - there) ** 2).sum(axis=0) + _LIGHT_PRIOR
        together = (weight * (reference - there) * (scan - here)).sum(axis=0) + _LIGHT_PRIOR
        gain = np.clip(together / varies, low, high)
        offset = here - gain * there
    return gain.astype(np.float32), offset.astype(np.float32)


def _means(values: npt.NDArray[np.float32]) -> Colours:
    """(CELLS, CELLS) or (CELLS, CELLS, C) float32: the mean of each cell of (H, W) or (H, W, C).

    What an area resize gives, as one matrix product: OpenCV walks over each pixel.
    """
    height, width = values.shape[:2]
    rows = (_cell_weights(height) @ values.reshape(height, -1)).reshape(CELLS, width, -1)
    return np.asarray((_cell_weights(width) @ rows).reshape(CELLS, CELLS, *values.shape[2:]), np.float32)


def _cell_weights(pixels: int) -> npt.NDArray[np.float32]:
    """(CELLS, pixels) float32: how much of each of a side's cells each pixel is; rows add up to 1."""
    borders, starts = np.linspace(0, pixels, CELLS + 1)[:, None], np.arange(pixels)
    common = np.minimum(borders[1:], starts + 1) - np.maximum(borders[:-1], starts)
    return np.asarray(np.maximum(common, 0) * (CELLS / pixels), np.float32)


def _middles(size: float) -> Matrix:
    """(3, 3): numbers of samples, `size` cells apart, -> where their middles are in grid coordinates."""
    return np.array([[size, 0, size / 2], [0, size, size / 2], [0, 0, 1.0]])


def _in_frame(placing: Matrix, frame: tuple[int, int]) -> Mask:
    """(CELLS, CELLS) bool: cells whose four corners are inside the scan and in front of the camera."""
    x, y = np.meshgrid(np.arange(CELLS + 1.0), np.arange(CELLS + 1.0))
    across, down, depth = np.einsum("ij,jyx->iyx", placing, np.stack([x, y, np.ones_like(x)]))
    # A homography is the same with the other sign; the middle of the print is in front of the camera.
    depth_of_middle = depth[CELLS // 2, CELLS // 2]
    front = depth * np.sign(depth_of_middle) > 0
    safe = np.where(front, depth, 1.0)
    corner = front & (across / safe >= 0) & (across / safe <= frame[0]) & (down / safe >= 0) & (down / safe <= frame[1])
    return np.asarray(corner[:-1, :-1] & corner[1:, :-1] & corner[:-1, 1:] & corner[1:, 1:])
