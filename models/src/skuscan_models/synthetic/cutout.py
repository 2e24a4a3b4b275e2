"""Find the package on a catalogue picture: cut it out of a plain background, or take the full rectangle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.errors import PictureError
from skuscan_models.synthetic.canvas import Mask, Picture

_MIN_SIDE = 8  # px: less is no picture of a package
_TOLERANCE = 14  # steps of a channel by which the background may differ from its median (JPEG noise, soft shadows)
_PLAIN_BORDER = 0.6  # share of the border that must look alike for the background to count as plain
_MIN_SHARE, _MAX_SHARE = 0.08, 0.985  # of the picture: a package outside this is a failed cut
_MIN_SOLIDITY = 0.8  # a package fills its convex hull at least so far; less is a leak into a light package
_AREA_BELOW = 0.7  # scale
_CLOSING_SIDE = 96  # px: longest side at which leaks are closed
_LEAK = 0.12  # of the longest side: the widest leak that is closed
_BOX_FILL = 0.95  # share of its bounding box that a flat-sided box fills


@dataclass(frozen=True)
class Cutout:
    """A package without its background.

    Attributes:
        rgba: (H, W, 4) uint8, cropped to the package; the fourth channel is 255 inside it and 0 outside. Four channels
            in one array, because OpenCV warps four twice as fast as three.
        rectangular: The package fills its rectangle, as a box seen from the front does.
    """

    rgba: npt.NDArray[np.uint8]
    rectangular: bool


def cut_out(reference: Picture, longest_side: int) -> Cutout:
    """Cut the package out of a reference picture.

    Args:
        reference: (H, W, 3) uint8 RGB, at least 8 x 8 px.
        longest_side: A larger picture is first scaled down to this longest side, px.

    Raises:
        PictureError: It is no RGB picture, or too small.
    """
    if reference.dtype != np.uint8 or reference.ndim != 3 or reference.shape[2] != 3:
        raise PictureError("a picture is (H, W, 3) uint8 RGB", f"{reference.shape} {reference.dtype}")
    if min(reference.shape[:2]) < _MIN_SIDE:
        received = f"{reference.shape[1]} x {reference.shape[0]} px"
        raise PictureError(f"a reference picture is at least {_MIN_SIDE} x {_MIN_SIDE} px", received)
    rgb = _shrink(reference, longest_side)
    mask = _package_mask(rgb)
    if mask is None:
        return Cutout(cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA).astype(np.uint8, copy=False), rectangular=True)
    left, top, width, height = cv2.boundingRect(mask)
    window = (slice(top, top + height), slice(left, left + width))
    rgba = cv2.cvtColor(rgb[window], cv2.COLOR_RGB2RGBA).astype(np.uint8, copy=False)
    rgba[..., 3] = mask[window]
    return Cutout(rgba, cv2.countNonZero(mask) > _BOX_FILL * width * height)


def _shrink(rgb: Picture, longest_side: int) -> Picture:
    height, width = rgb.shape[:2]
    scale = longest_side / max(height, width)
    if scale >= 1:
        return rgb
    size = (max(_MIN_SIDE, round(width * scale)), max(_MIN_SIDE, round(height * scale)))
    # Area averaging takes six times as long; it pays where several pixels become one.
    method = cv2.INTER_AREA if scale < _AREA_BELOW else cv2.INTER_LINEAR
    return cv2.resize(rgb, size, interpolation=method).astype(np.uint8, copy=False)


def _package_mask(rgb: Picture) -> Mask | None:
    """255 where the package is; None where the background is not plain or the cut makes no sense."""
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]]).astype(np.int16)
    colour = np.median(border, axis=0)
    alike = np.abs(border - colour).max(axis=1) <= _TOLERANCE
    if alike.mean() < _PLAIN_BORDER:
        return None
    low, high = np.clip(colour - _TOLERANCE, 0, 255), np.clip(colour + _TOLERANCE, 0, 255)
    near = cv2.inRange(rgb, np.floor(low), np.ceil(high))
    # One frame of background round the picture joins all of its border to one component: one flood fills it.
    framed = cv2.copyMakeBorder(near, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=255)
    cv2.floodFill(framed, None, (0, 0), 128)
    package = np.where(framed[1:-1, 1:-1] == 128, 0, 255).astype(np.uint8, copy=False)
    package = _without_leaks(package)
    outlines, _ = cv2.findContours(package, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return None
    return _solid(outlines, package.shape)


def _without_leaks(package: Mask) -> Mask:
    """Close what the flood took from a light package through its edge: bands and dents narrower than a share of it."""
    opened = cv2.morphologyEx(package, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    # Closing with a large disc is slow at full size and need not be sharp: what it adds is inside the package.
    scale = _CLOSING_SIDE / max(package.shape)
    size = (max(1, round(package.shape[1] * scale)), max(1, round(package.shape[0] * scale)))
    small = cv2.resize(opened, size, interpolation=cv2.INTER_AREA)
    reach = round(_LEAK * _CLOSING_SIDE)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach | 1, reach | 1))
    framed = cv2.copyMakeBorder(small, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, disc)[reach:-reach, reach:-reach]
    added = cv2.resize(closed, package.shape[::-1], interpolation=cv2.INTER_LINEAR)
    solid = cv2.inRange(added, np.array([250.0]), np.array([255.0]))
    return cv2.bitwise_or(opened, solid).astype(np.uint8, copy=False)


def _solid(outlines: Sequence[npt.NDArray[Any]], shape: tuple[int, ...]) -> Mask | None:
    """The largest outline filled, or the hull of all where the flood leaked into a light package."""
    largest = max(outlines, key=cv2.contourArea)
    area, hull_of_all = cv2.contourArea(largest), cv2.convexHull(np.concatenate(outlines))
    outline = largest if area >= _MIN_SOLIDITY * cv2.contourArea(hull_of_all) else hull_of_all
    mask = np.zeros(shape, np.uint8)
    cv2.drawContours(mask, [outline], -1, 255, cv2.FILLED)
    share = cv2.countNonZero(mask) / mask.size
    return mask if _MIN_SHARE <= share <= _MAX_SHARE else None
