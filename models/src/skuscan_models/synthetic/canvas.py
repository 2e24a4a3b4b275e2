"""Anti-aliased drawing on an RGB array: the few primitives that everything drawn here is made of.

Points are float pixels, x right and y down, origin at the upper left corner. Pictures are (H, W, 3) uint8 RGB and are
drawn on in place.
"""

import cv2
import numpy as np
import numpy.typing as npt

Colour = tuple[int, int, int]  # red, green, blue, 0..255
Picture = npt.NDArray[np.uint8]  # (H, W, 3) RGB
Mask = npt.NDArray[np.uint8]  # (H, W), 0: nothing, 255: all
Points = npt.NDArray[np.float64]  # (N, 2)

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)

_SHIFT = 4  # fractional bits of OpenCV's drawing calls: a 16th of a pixel
_ONE = 1 << _SHIFT
_CORNER_ANGLES = np.deg2rad(np.concatenate([np.linspace(start, start + 90, 8) for start in (-90, 0, 90, 180)]))
_CORNER_ARCS = np.stack([np.cos(_CORNER_ANGLES), np.sin(_CORNER_ANGLES)], axis=1)  # clockwise from the upper right
_CORNER_SIGNS = np.repeat([(1, -1), (1, 1), (-1, 1), (-1, -1)], 8, axis=0)
_REMAP_STEPS = 32  # a pixel, in OpenCV's interpolation tables
_FULL_LIGHT = 128  # the 8-bit form of light 1.0


def blank(height: int, width: int, colour: Colour) -> Picture:
    """A picture of one colour, (height, width, 3) uint8."""
    return np.full((height, width, 3), colour, np.uint8)


def fixed(points: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """Points in the fixed-point form of OpenCV's drawing calls."""
    return np.rint(np.asarray(points, np.float64) * _ONE).astype(np.int32)


def fill(picture: npt.NDArray[np.uint8], points: npt.ArrayLike, colour: Colour | int) -> None:
    """Fill a closed outline, (N, 2); works on a picture and on a mask."""
    cv2.fillPoly(picture, [fixed(points)], colour, cv2.LINE_AA, _SHIFT)


def stroke(
    picture: npt.NDArray[np.uint8], points: npt.ArrayLike, colour: Colour | int, width: float, closed: bool = False
) -> None:
    """Draw a line of a width in px through the points, (N, 2)."""
    cv2.polylines(picture, [fixed(points)], closed, colour, max(1, round(width)), cv2.LINE_AA, _SHIFT)


def ellipse_points(
    centre: tuple[float, float], radii: tuple[float, float], turn: float = 0.0, count: int = 40
) -> Points:
    """The outline of an ellipse turned by `turn` radians, (count, 2)."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    x, y = radii[0] * np.cos(angles), radii[1] * np.sin(angles)
    cos, sin = np.cos(turn), np.sin(turn)
    return np.stack([centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos], axis=1)


def rounded_rectangle(x0: float, y0: float, x1: float, y1: float, radius: float) -> Points:
    """The outline of a rectangle with round corners, (N, 2)."""
    radius = max(0.0, min(radius, (x1 - x0) / 2, (y1 - y0) / 2))
    middle = np.array(((x0 + x1) / 2, (y0 + y1) / 2))
    straight = np.array(((x1 - x0) / 2 - radius, (y1 - y0) / 2 - radius))
    outline: Points = middle + straight * _CORNER_SIGNS + radius * _CORNER_ARCS
    return outline


def star_points(centre: tuple[float, float], outer: float, inner: float, spikes: int) -> Points:
    """The outline of a star or a burst, (2 * spikes, 2)."""
    angles = np.arange(2 * spikes) * np.pi / spikes - np.pi / 2
    radius = np.where(np.arange(2 * spikes) % 2 == 0, outer, inner)
    return np.stack([centre[0] + radius * np.cos(angles), centre[1] + radius * np.sin(angles)], axis=1)


def smooth_closed(points: npt.ArrayLike, rounds: int = 3) -> Points:
    """Round a closed polygon off by Chaikin's corner cutting (Chaikin 1974)."""
    outline = np.asarray(points, np.float64)
    for _ in range(rounds):
        following = np.roll(outline, -1, axis=0)
        outline = np.stack([0.75 * outline + 0.25 * following, 0.25 * outline + 0.75 * following], axis=1).reshape(
            -1, 2
        )
    return outline


def paint(picture: Picture, mask: Mask, ink: Colour | Picture, opacity: float = 1.0) -> None:
    """Lay a colour, or another picture of the same size, over a picture where a mask of the same size says."""
    left, top, width, height = cv2.boundingRect(mask)
    if width == 0:
        return
    window = (slice(top, top + height), slice(left, left + width))
    share = cv2.cvtColor(mask[window], cv2.COLOR_GRAY2RGB)
    if opacity < 1:
        share = cv2.convertScaleAbs(share, alpha=opacity)
    over = np.full(share.shape, ink, np.uint8) if isinstance(ink, tuple) else ink[window]
    kept = cv2.multiply(picture[window], cv2.bitwise_not(share), scale=1 / 255)
    picture[window] = cv2.add(kept, cv2.multiply(over, share, scale=1 / 255))


def paint_at(picture: Picture, mask: Mask, left: int, top: int, ink: Colour, opacity: float = 1.0) -> None:
    """Lay a colour over a picture through a small mask with its corner at (left, top); what sticks out is cut."""
    height, width = picture.shape[:2]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + mask.shape[1], width), min(top + mask.shape[0], height)
    if x0 < x1 and y0 < y1:
        paint(
            picture[y0:y1, x0:x1], np.ascontiguousarray(mask[y0 - top : y1 - top, x0 - left : x1 - left]), ink, opacity
        )


def new_mask(picture: Picture) -> Mask:
    """An empty mask of a picture's size."""
    return np.zeros(picture.shape[:2], np.uint8)


def gradient(height: int, width: int, first: Colour, last: Colour, across: bool = False) -> Picture:
    """A picture that goes from one colour at the top (or left, with `across`) to another."""
    steps = np.linspace(0.0, 1.0, width if across else height)[:, None]
    line = np.rint(np.asarray(first) * (1 - steps) + np.asarray(last) * steps).astype(np.uint8)
    return np.broadcast_to(line[None] if across else line[:, None], (height, width, 3)).copy(order="C")


def shade(picture: Picture, light: npt.NDArray[np.float32]) -> None:
    """Multiply a picture by a light field, in place.

    Args:
        picture: (H, W, 3) uint8.
        light: (h, w) or (h, w, 3) float32 below 2.0, of any smaller size: it is enlarged to the picture.
    """
    # Steps of 1/128 are finer than a camera's noise, and 8-bit arithmetic takes a third of the time.
    level = cv2.convertScaleAbs(light if light.ndim == 3 else cv2.merge([light] * 3), alpha=_FULL_LIGHT)
    if level.shape != picture.shape:
        level = cv2.resize(level, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    np.copyto(picture, cv2.multiply(picture, level, scale=1 / _FULL_LIGHT).astype(np.uint8, copy=False))


def warp(
    picture: npt.NDArray[np.uint8], matrix: npt.NDArray[np.float64], size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """A picture or mask seen through a homography, the same bytes on every processor.

    OpenCV's own warps differ by a step or two between processors with and without AVX2. Here the source points are
    computed in double precision and rounded to the 32nd of a pixel, which is all that its interpolation uses.

    Args:
        picture: (H, W, 3) or (H, W) uint8; its edge goes on outside it.
        matrix: (3, 3), from the picture to the result.
        size: Width and height of the result, px.
    """
    inverse = np.linalg.inv(matrix)
    x, y = np.arange(size[0])[None], np.arange(size[1])[:, None]
    depth = inverse[2, 0] * x + (inverse[2, 1] * y + inverse[2, 2])
    across = (inverse[0, 0] * x + (inverse[0, 1] * y + inverse[0, 2])) / depth
    down = (inverse[1, 0] * x + (inverse[1, 1] * y + inverse[1, 2])) / depth
    return exact_remap(picture, across, down)


def exact_remap(
    picture: npt.NDArray[np.uint8], across: npt.NDArray[np.float64], down: npt.NDArray[np.float64]
) -> npt.NDArray[np.uint8]:
    """A picture or mask whose pixel (y, x) comes from (down[y, x], across[y, x]), rounded to the 32nd of a pixel."""
    map_x, map_y = ((np.rint(points * _REMAP_STEPS) / _REMAP_STEPS).astype(np.float32) for points in (across, down))
    return cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(
        np.uint8, copy=False
    )


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour that lies a share of the way from the first to the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def moved(points: npt.ArrayLike, x: float, y: float, scale: float = 1.0) -> Points:
    """Points, (N, 2), scaled about the origin and then moved by (x, y)."""
    shifted: Points = np.asarray(points, np.float64) * scale + np.array((x, y))
    return shifted
