"""What a reference's print looks like, cell by cell, and whether a scan looks the same there.

Near-duplicates of one brand share the logo, and so most keypoints. What differs is colour and picture: a band, a
fruit. So a tiny picture of the print travels with each reference.

1. `describe` averages a reference's print over a grid of cells, without the plain background around a cut-out;
2. `look` averages a scan over the same cells, seen through the homography that verification found, and takes shop light
   out: a gain and an offset a channel, fitted robustly;
3. `agreement` says how alike the two are, and `contest` which of two references a scan is nearer to, over the cells
   where these two differ.
"""

import struct
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.errors import BundleError
from skuscan.keypoints import MAX_SIDE, ExaminedReference
from skuscan.picture import fit_longest_side

CELLS = 8  # along each side of the grid
SCAN_SIDE = 320  # px: a scan is averaged down to this first; a cell is rarely finer than its pixels

_FORMAT = 1
_HEADER = struct.Struct("<B4H")  # format; left, top, right, bottom
_MASK_BYTES = -(-CELLS * CELLS // 8)
PACKED_BYTES = _HEADER.size + _MASK_BYTES + 2 * CELLS * CELLS
_STEPS = np.array([31, 63, 31], np.float32)  # of red, green and blue in 16 bits
_SHIFTS = np.array([11, 5, 0], np.uint16)

_SAMPLES = 8  # of a scan, along each side of a cell
_PRINTED_SHARE = 0.5  # of a cell that is no background
_LEAST_CELLS = 8  # in sight; with fewer, light cannot be told from colour
_LIGHT_ROUNDS = 4  # of reweighting
_LIGHT_SCALE = 20.0  # levels of 255: a cell that is so far off counts half in the fit of light
_LIGHT_PRIOR = 100.0  # levels^2 of variance: where a reference hardly varies, the gain stays near 1
_GAINS = (0.25, 3.0)
_UNLIKE = 40.0  # levels: a cell that is so far off agrees by half
_DIFFERENT = 24.0  # levels: two references that differ by it in a cell make it count half
_CONTEST_PRIOR = 100.0  # levels, added to what two references differ by in all cells: a trifle decides nothing

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


def describe(rgb: Picture, examined: ExaminedReference) -> Appearance:
    """The appearance of a catalogue picture.

    Args:
        rgb: (H, W, 3) uint8.
        examined: What the choice of its keypoints showed.
    """
    fitted = fit_longest_side(rgb, max(examined.grey.shape))
    left, top, width, height = examined.package
    if not width:  # nothing but background
        height, width = examined.grey.shape
    right, bottom = left + width, top + height
    inside = 1 - examined.background[top:bottom, left:right].astype(np.float32)
    share = _means(inside)
    sums = _means(fitted[top:bottom, left:right] * inside[:, :, None])
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
        shrink @ placing @ _to_cells(1 / _SAMPLES),
        (CELLS * _SAMPLES, CELLS * _SAMPLES),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    colours = _means(samples.astype(np.float32))
    gain, offset = _light(reference.colours[seen], colours[seen])
    return View(reference, placing, (colours - offset) / gain, seen)


def agreement(view: View) -> float:
    """How far the seen cells have their reference's colours, 0 to 1."""
    off = view.colours[view.seen] - view.reference.colours[view.seen]
    squared = np.einsum("nc,nc->n", off, off)
    return float((_UNLIKE**2 / (_UNLIKE**2 + squared)).mean())


def contest(one: View, other: View) -> float:
    """Which of two references a scan has the colours of, where these two differ.

    Both are compared in the cells of each; the contest the other way round gives the same number with the other sign.

    Returns:
        -1 to 1: above 0 for the first, 0 when they cannot be told apart.
    """
    for_one, most_one = _nearer(one, other)
    for_other, most_other = _nearer(other, one)
    return (for_one - for_other) / (most_one + most_other + _CONTEST_PRIOR)


def _nearer(own: View, rival: View) -> tuple[float, float]:
    """By how many levels, over all own cells, a scan is nearer to its own reference; and by how many it could be."""
    # The rival's cells, laid over these: both lie in the scan.
    to_rival = np.linalg.inv(rival.placing) @ own.placing
    printed = rival.reference.printed.astype(np.float32)
    laid = cv2.warpPerspective(
        np.dstack([rival.reference.colours * printed[:, :, None], printed]),
        np.linalg.inv(_to_cells(1.0)) @ to_rival @ _to_cells(1.0),
        (CELLS, CELLS),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    share = laid[:, :, 3]
    both = own.seen & (share > _PRINTED_SHARE)
    theirs = laid[both][:, :3] / share[both][:, None]
    ours, here = own.reference.colours[both], own.colours[both]
    apart = np.linalg.norm(ours - theirs, axis=1)
    weight = apart * apart / (apart * apart + _DIFFERENT**2)
    nearer = np.linalg.norm(here - theirs, axis=1) - np.linalg.norm(here - ours, axis=1)
    return float(weight @ nearer), float(weight @ apart)


def _light(reference: Colours, scan: Colours) -> tuple[Colours, Colours]:
    """(3,) gain and (3,) offset, so that scan = gain * reference + offset in most of the cells (N, 3).

    Least squares, reweighted as Cauchy's estimator does: a glare, a hand or another fruit has little say.
    """
    weight = np.ones((len(reference), 1), np.float32)
    low, high = _GAINS
    for _ in range(_LIGHT_ROUNDS):
        share = weight / weight.sum()
        there, here = (share * reference).sum(axis=0), (share * scan).sum(axis=0)
        varies = (share * (reference - there) ** 2).sum(axis=0) + _LIGHT_PRIOR
        together = (share * (reference - there) * (scan - here)).sum(axis=0) + _LIGHT_PRIOR
        gain = np.clip(together / varies, low, high)
        offset = here - gain * there
        off = (scan - offset) / gain - reference
        weight = 1 / (1 + np.einsum("nc,nc->n", off, off)[:, None] / np.float32(_LIGHT_SCALE**2))
    return gain.astype(np.float32), offset.astype(np.float32)


def _means(values: npt.NDArray[np.float32]) -> Colours:
    """(CELLS, CELLS) or (CELLS, CELLS, C) float32: the mean of each cell of (H, W) or (H, W, C)."""
    return np.asarray(cv2.resize(values, (CELLS, CELLS), interpolation=cv2.INTER_AREA), np.float32)


def _to_cells(size: float) -> Matrix:
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
