"""A drawn hand-held photo of any reference picture.

In order: the package is cut out of its plain background, bent a little, seen by a pinhole camera (`pose.py`: front, and
the side faces that the camera sees), laid over a drawn scene with its shadow and a hand, and then lit and photographed
(`camera.py`). Every choice comes from the generator that the caller gives: the same generator state, the same bytes.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from skuscan_models.synthetic.camera import Rng, photograph
from skuscan_models.synthetic.canvas import Colour, Picture, fill, paint, shade, stroke
from skuscan_models.synthetic.cutout import Cutout, cut_out
from skuscan_models.synthetic.pose import Pose, frame_of, place, visible_share
from skuscan_models.synthetic.scenery import Hand, clutter
from skuscan_models.synthetic.view_options import PACKSHOT, USUAL, FieldViewOptions

_BEND_GRID = 5  # control points a side of the bending field
_BEND_STEPS = 40  # points a side at which it is computed
_LEAST_BEND = 0.5  # px: less is not seen
_MIN_DEPTH = 24  # px of a made-up side
_AREA_BELOW = 0.7  # scale from which pixels are averaged before a warp
_LEAST_BACKDROP = 0.5  # share of a photo's largest part of the frame's shape: more is cropped away
_BACKDROP_BLUR = (0.3, 2.0)  # px, standard deviation
_PAPER = 255  # behind a packshot
_FACING_GAP = (0.01, 0.12)  # between a package and its copies, share of its width
_SHELF_GAP = (0.15, 0.5)  # to the shelves above and below, share of its height
_SHELVES = 0.3  # probability that copies stand above and below, too
_FACING_SHIFT = 0.02  # standard deviation of a copy's place, share of its sides
_FACING_LIGHT = (0.75, 1.0)


@dataclass(frozen=True)
class FieldView:
    """A drawn photo and where its package is.

    Attributes:
        picture: (H, W, 3) uint8 RGB.
        outline: (4, 2) float32, the front's corners: upper left, upper right, lower right, lower left, px; they may lie
            outside the frame.
        visible: The share of the front's outline that lies in the frame.
    """

    picture: Picture
    outline: npt.NDArray[np.float32]
    visible: float


def field_view(
    reference_rgb: Picture,
    rng: Rng,
    options: FieldViewOptions = USUAL,
    side_rgb: Picture | None = None,
    backdrop: Picture | None = None,
) -> Picture:
    """A drawn hand-held photo of a package.

    Args:
        reference_rgb: (H, W, 3) uint8, a catalogue picture on a plain background, or one filled by its package; from
            8 x 8 px up.
        rng: The source of every choice.
        options: How hard the photo is.
        side_rgb: (H', W', 3) uint8, the package's side if known; otherwise a plausible one is made up.
        backdrop: (H*, W*, 3) uint8, a photo to stand behind the package; otherwise a scene is drawn.

    Returns:
        (H'', W'', 3) uint8 RGB, of the options' size, portrait or landscape.

    Raises:
        PictureError: The reference is no RGB picture, or too small.
    """
    return draw_field_view(reference_rgb, rng, options, side_rgb, backdrop).picture


def draw_field_view(
    reference_rgb: Picture,
    rng: Rng,
    options: FieldViewOptions = USUAL,
    side_rgb: Picture | None = None,
    backdrop: Picture | None = None,
) -> FieldView:
    """As `field_view`, and says where the package is."""
    package = _bend(cut_out(reference_rgb, options.longest_side), rng, options)
    frame = frame_of(rng, options)
    pose = place(package, rng, frame, options)
    scene = clutter(rng, *frame, options.things) if backdrop is None else _fill_frame(backdrop, rng, frame)
    hand = Hand(rng, pose.front) if rng.random() < options.hand else None
    if options.facings and rng.random() < options.facings:
        _draw_facings(scene, package, pose.front, rng)
    _cast_shadow(scene, pose, rng)
    if hand:
        hand.draw_behind(scene)
    _draw_package(scene, package, pose, side_rgb, rng)
    if hand:
        hand.draw_before(scene)
    return FieldView(photograph(scene, rng, options.camera), pose.front, visible_share(pose.front, frame))


def _fill_frame(backdrop: Picture, rng: Rng, frame: tuple[int, int]) -> Picture:
    """A part of a photo, of the frame's shape and size, somewhat out of focus, (height, width, 3) uint8."""
    height, width = frame
    largest = min(backdrop.shape[0] / height, backdrop.shape[1] / width)
    part = largest * rng.uniform(_LEAST_BACKDROP, 1)
    rows, columns = max(1, int(part * height)), max(1, int(part * width))
    top = int(rng.integers(backdrop.shape[0] - rows + 1))
    left = int(rng.integers(backdrop.shape[1] - columns + 1))
    scene = cv2.resize(backdrop[top : top + rows, left : left + columns], (width, height))
    return cv2.GaussianBlur(scene, (0, 0), rng.uniform(*_BACKDROP_BLUR)).astype(np.uint8, copy=False)


def packshot(reference_rgb: Picture, rng: Rng, side: int, side_rgb: Picture | None = None) -> Picture:
    """A drawn catalogue picture of a package that stands at an angle on white, its side in sight.

    Args:
        reference_rgb: (H, W, 3) uint8, its front, as for `field_view`.
        rng: The source of every choice.
        side: Of the square picture, px.
        side_rgb: As for `field_view`.

    Returns:
        (side, side, 3) uint8 RGB.
    """
    options = replace(PACKSHOT, longest_side=side, shortest_side=side)
    return field_view(reference_rgb, rng, options, side_rgb, np.full((side, side, 3), _PAPER, np.uint8))


def nothing(rng: Rng, options: FieldViewOptions = USUAL) -> Picture:
    """A drawn photo that shows no product: things lying about, now and then an empty hand, (H, W, 3) uint8."""
    frame = frame_of(rng, options)
    scene = clutter(rng, *frame, (options.things[0] + 2, options.things[1] + 6))
    if rng.random() < options.hand:
        centre = np.array(frame[::-1]) * rng.uniform(0.3, 0.7, 2)
        half = np.array(frame[::-1]) * rng.uniform(0.1, 0.3)
        corners = centre + half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        hand = Hand(rng, corners.astype(np.float32))
        hand.draw_behind(scene)
        hand.draw_before(scene)
    return photograph(scene, rng, options.camera)


# --- Bending --------------------------------------------------------------------------------------------------------


def _bend(package: Cutout, rng: Rng, options: FieldViewOptions) -> Cutout:
    """Squeeze and crumple the package: a smooth displacement, and the light and dark that goes with its slope."""
    height, width = package.rgba.shape[:2]
    amount = rng.uniform(*options.bend) * max(height, width)
    if amount < _LEAST_BEND:
        return package
    grid = rng.uniform(-1, 1, (_BEND_GRID, _BEND_GRID, 2)).astype(np.float32)
    # Smooth at a small size, then linear: a cubic curve over every pixel takes ten times as long and looks the same.
    smooth = cv2.resize(grid, (_BEND_STEPS, _BEND_STEPS), interpolation=cv2.INTER_CUBIC) * np.float32(amount)
    bend = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR)
    x = np.arange(width, dtype=np.float32)[None] + bend[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + bend[..., 1]
    slope = cv2.Sobel(grid[..., 0], cv2.CV_32F, 1, 0, ksize=3) * np.float32(0.02 + 2 * amount / max(height, width))
    lit = cv2.cvtColor(package.rgba, cv2.COLOR_RGBA2RGB).astype(np.uint8, copy=False)
    shade(lit, 1 + slope.astype(np.float32))
    flat = cv2.cvtColor(lit, cv2.COLOR_RGB2RGBA)
    flat[..., 3] = package.rgba[..., 3]
    bent = cv2.remap(flat, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return replace(package, rgba=bent.astype(np.uint8, copy=False))


# --- Drawing --------------------------------------------------------------------------------------------------------


def _cast_shadow(scene: Picture, pose: Pose, rng: Rng) -> None:
    """A soft shadow beneath the package; drawn small, since it is blurred anyway."""
    step = 8
    small = np.zeros((-(-scene.shape[0] // step), -(-scene.shape[1] // step)), np.uint8)
    offset = rng.uniform((-25, 5), (25, 40))
    fill(small, (pose.front.astype(np.float64) + offset) / step, 255)
    soft = cv2.GaussianBlur(small, (0, 0), rng.uniform(1.0, 3.0)).astype(np.float32)
    shade(scene, 1 - soft * np.float32(rng.uniform(0.15, 0.6) / 255))


def _draw_facings(scene: Picture, package: Cutout, front: npt.NDArray[np.float32], rng: Rng) -> None:
    """Copies of the package around it, in the plane of its front, as it stands on a shelf."""
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    plane = cv2.getPerspectiveTransform(square, front)
    across, down = 1 + rng.uniform(*_FACING_GAP), 1 + rng.uniform(*_SHELF_GAP)
    for row in (-1, 0, 1) if rng.random() < _SHELVES else (0,):
        for column in (-2, 2, -1, 1, 0) if row else (-2, 2, -1, 1):
            place = square + np.array((column * across, row * down)) + rng.normal(0, _FACING_SHIFT, 2)
            light = rng.uniform(*_FACING_LIGHT)
            if (place @ plane[2, :2] + plane[2, 2]).min() <= 0:  # behind the camera
                continue
            corners = cv2.perspectiveTransform(place[None].astype(np.float32), plane)[0]
            lit = cv2.convertScaleAbs(package.rgba[..., :3], alpha=light, beta=0)
            _lay(scene, np.dstack([lit, package.rgba[..., 3]]), corners.astype(np.float32))


def _draw_package(scene: Picture, package: Cutout, pose: Pose, side_rgb: Picture | None, rng: Rng) -> None:
    for face in pose.sides:
        lit = cv2.convertScaleAbs(_side_texture(package, face.edge, side_rgb, rng), alpha=face.light, beta=0)
        _lay(scene, cv2.cvtColor(lit, cv2.COLOR_RGB2RGBA).astype(np.uint8, copy=False), face.corners)
    _lay(scene, package.rgba, pose.front)


def _side_texture(package: Cutout, edge: str, side_rgb: Picture | None, rng: Rng) -> Picture:
    """What stands on a side: the known side, or the front's edge colours with some small print."""
    upright = edge in ("left", "right")
    if upright and side_rgb is not None:
        return side_rgb
    rgb = package.rgba[..., :3]
    strip = {"left": rgb[:, :4], "right": rgb[:, -4:], "top": rgb[:4], "bottom": rgb[-4:]}[edge]
    line = np.median(strip, axis=1 if upright else 0).astype(np.uint8, copy=False)
    length, depth = len(line), max(_MIN_DEPTH, len(line) // 4)
    shape = (length, depth, 3) if upright else (depth, length, 3)
    texture = np.broadcast_to(line[:, None] if upright else line[None], shape).copy(order="C")
    if upright:
        _small_print(texture, rng)
    return texture


def _small_print(texture: Picture, rng: Rng) -> None:
    """Lines of text too small to read, and a light panel behind them now and then."""
    height, width = texture.shape[:2]
    dark: Colour = (40, 40, 40) if texture.mean() > 110 else (235, 235, 235)
    top, bottom = height * rng.uniform(0.05, 0.4), height * rng.uniform(0.6, 0.95)
    if rng.random() < 0.5:
        fill(
            texture,
            [(width * 0.12, top), (width * 0.88, top), (width * 0.88, bottom), (width * 0.12, bottom)],
            (245, 245, 240),
        )
        dark = (50, 50, 50)
    for y in np.arange(top + 5, bottom - 4, max(4.0, height / 60)):
        stroke(texture, [(width * 0.18, y), (width * rng.uniform(0.4, 0.84), y)], dark, 1)


def _lay(scene: Picture, texture: npt.NDArray[np.uint8], corners: npt.NDArray[np.float32]) -> None:
    """Warp a texture, (H, W, 4), onto four corners of the scene, (4, 2) px from the upper left clockwise."""
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0).tolist()
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 2, scene.shape[1::-1]).tolist()
    if right - left < 2 or bottom - top < 2:
        return
    texture = _near_size(texture, corners)
    height, width = texture.shape[:2]
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - np.float32(0.5)
    matrix = cv2.getPerspectiveTransform(source, corners - np.array((left, top), np.float32))
    warped = cv2.warpPerspective(texture, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    rgb, alpha = cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB), cv2.extractChannel(warped, 3)
    paint(scene[top:bottom, left:right], alpha.astype(np.uint8, copy=False), rgb.astype(np.uint8, copy=False))


def _near_size(texture: npt.NDArray[np.uint8], corners: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Shrink a texture that is much larger than its place in the photo, so that the warp does not skip pixels."""
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    height, width = texture.shape[:2]
    size = (min(width, _pixels(max(sides[0], sides[2]))), min(height, _pixels(max(sides[1], sides[3]))))
    if size[0] > _AREA_BELOW * width and size[1] > _AREA_BELOW * height:
        return texture
    return cv2.resize(texture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _pixels(length: float) -> int:
    return max(2, round(float(length)))
