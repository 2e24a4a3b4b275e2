"""What is on a photo besides the product: surfaces, shelves, things lying about, and a hand.

Backgrounds are drawn at half the size of the photo and enlarged: a hand-held phone's background is out of focus anyway,
and it quarters the time.
"""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from skuscan_models.synthetic.canvas import (
    WHITE,
    Colour,
    Picture,
    blank,
    ellipse_points,
    fill,
    gradient,
    mix,
    moved,
    rounded_rectangle,
    smooth_closed,
    stroke,
)

_SKINS: tuple[Colour, ...] = (
    (241, 205, 178),
    (228, 184, 150),
    (205, 156, 118),
    (176, 124, 86),
    (132, 88, 58),
    (92, 60, 42),
)
_WOODS: tuple[Colour, ...] = ((196, 154, 108), (150, 106, 68), (222, 190, 150), (110, 76, 52))
_SHADOW: Colour = (30, 24, 24)
_BACKGROUND_BLUR = (0.4, 2.6)  # px at half size: the range of focus
_ARM_TONES = 9
_FINGER_TONES = 6  # nested strokes that shade a finger from its rim to its ridge

Rng = np.random.Generator


def clutter(rng: Rng, height: int = 480, width: int = 640, things: tuple[int, int] = (2, 9)) -> Picture:
    """A drawn scene without any product, (height, width, 3) uint8.

    Args:
        rng: The source of every choice.
        height: px.
        width: px.
        things: The least and the greatest number of things lying about.
    """
    half = (-(-height // 2), -(-width // 2))
    surface = _SURFACES[int(rng.integers(len(_SURFACES)))]
    scene = surface(rng, *half)
    for _ in range(int(rng.integers(things[0], things[1] + 1))):
        _THINGS[int(rng.integers(len(_THINGS)))](rng, scene)
    scene = cv2.GaussianBlur(scene, (0, 0), rng.uniform(*_BACKGROUND_BLUR)).astype(np.uint8, copy=False)
    return cv2.resize(scene, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def any_colour(
    rng: Rng, saturation: tuple[float, float] = (0.1, 0.9), value: tuple[float, float] = (0.2, 1.0)
) -> Colour:
    """A colour with a free hue."""
    hsv = np.array([[[rng.uniform(0, 180), 255 * rng.uniform(*saturation), 255 * rng.uniform(*value)]]], np.uint8)
    red, green, blue = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].tolist()
    return red, green, blue


# --- Surfaces -------------------------------------------------------------------------------------------------------


def _plain(rng: Rng, height: int, width: int) -> Picture:
    colour = any_colour(rng, (0.0, 0.35), (0.35, 0.98))
    return gradient(height, width, colour, mix(colour, _SHADOW, rng.uniform(0.05, 0.4)), bool(rng.integers(2)))


def _wood(rng: Rng, height: int, width: int) -> Picture:
    colour = _WOODS[int(rng.integers(len(_WOODS)))]
    scene = gradient(height, width, colour, mix(colour, _SHADOW, 0.25))
    rows = rng.normal(0, 9, (height, 1)).astype(np.float32)
    grain = cv2.resize(rng.normal(0, 14, (height // 3, 6)).astype(np.float32), (width, height)) + rows
    scene = np.clip(scene + grain[..., None], 0, 255).astype(np.uint8, copy=False)
    plank = int(rng.integers(height // 5, height // 2))
    for y in range(int(rng.integers(plank)), height, plank):
        stroke(scene, [(0, y), (width, y)], mix(colour, _SHADOW, 0.7), 1)
    return scene


def _tiles(rng: Rng, height: int, width: int) -> Picture:
    colour = any_colour(rng, (0.0, 0.3), (0.5, 0.95))
    scene = blank(height, width, mix(colour, _SHADOW, 0.3))
    side = int(rng.integers(height // 7, height // 2))
    for y in range(-int(rng.integers(side)), height, side):
        for x in range(-int(rng.integers(side)), width, side):
            tone = mix(colour, WHITE, rng.uniform(0, 0.25))
            fill(
                scene,
                [(x + 1, y + 1), (x + side - 1, y + 1), (x + side - 1, y + side - 1), (x + 1, y + side - 1)],
                tone,
            )
    return scene


def _cloth(rng: Rng, height: int, width: int) -> Picture:
    first, second = any_colour(rng, (0.2, 0.8)), any_colour(rng, (0.0, 0.4), (0.7, 1.0))
    pitch = rng.uniform(8, 40)
    x = (np.arange(width) % pitch < pitch * rng.uniform(0.2, 0.6)).astype(np.float32)
    y = (np.arange(height) % pitch < pitch * rng.uniform(0.0, 0.6)).astype(np.float32)
    share = (0.5 * x[None] + 0.5 * y[:, None])[..., None]
    threads: npt.NDArray[np.float64] = np.asarray(first) * share + np.asarray(second) * (1 - share)
    return threads.astype(np.uint8)


def _shelf(rng: Rng, height: int, width: int) -> Picture:
    """Blurred rows of packages, as behind somebody in a shop's aisle."""
    scene = blank(height, width, any_colour(rng, (0.0, 0.2), (0.2, 0.6)))
    row = int(rng.integers(height // 4, height // 2))
    for bottom in range(row, height + row, row):
        x = -float(rng.uniform(0, 20))
        while x < width:
            colour, wide, tall = any_colour(rng), rng.uniform(10, 60), row * rng.uniform(0.45, 0.88)
            for _ in range(int(rng.integers(1, 4))):
                fill(scene, rounded_rectangle(x, bottom - tall, x + wide - 2, bottom - 8, 3), colour)
                band = bottom - tall * rng.uniform(0.4, 0.7)
                fill(scene, rounded_rectangle(x + 2, band, x + wide - 4, band + tall * 0.2, 2), mix(colour, WHITE, 0.7))
                x += wide
        fill(scene, [(0, bottom - 8), (width, bottom - 8), (width, bottom), (0, bottom)], any_colour(rng, (0.0, 0.2)))
    return scene


def _room(rng: Rng, height: int, width: int) -> Picture:
    """A wall, a floor or worktop, and large shapes of furniture."""
    wall = any_colour(rng, (0.0, 0.3), (0.55, 0.95))
    scene = gradient(height, width, wall, mix(wall, _SHADOW, 0.2))
    for _ in range(int(rng.integers(1, 5))):
        x, y, wide, tall = (
            rng.uniform(-40, width),
            rng.uniform(-40, height * 0.6),
            rng.uniform(40, 160),
            rng.uniform(40, 200),
        )
        colour = any_colour(rng, (0.0, 0.6), (0.15, 0.95))
        fill(scene, rounded_rectangle(x, y, x + wide, y + tall, 3), colour)
        inner = mix(colour, WHITE, rng.uniform(0.1, 0.5))
        fill(scene, rounded_rectangle(x + 5, y + 5, x + wide - 5, y + tall - 5, 2), inner)
    level = height * rng.uniform(0.5, 0.85)
    fill(
        scene,
        [(0, level), (width, level + rng.uniform(-25, 25)), (width, height), (0, height)],
        any_colour(rng, (0.1, 0.5)),
    )
    return scene


_SURFACES: tuple[Callable[[Rng, int, int], Picture], ...] = (_plain, _wood, _tiles, _cloth, _shelf, _room)


# --- Things ---------------------------------------------------------------------------------------------------------


def _spot(rng: Rng, scene: Picture) -> tuple[float, float, float]:
    """A place and a size: x, y, r in px."""
    height, width = scene.shape[:2]
    return rng.uniform(0, width), rng.uniform(0, height), height * rng.uniform(0.05, 0.2)


def _mug(rng: Rng, scene: Picture) -> None:
    x, y, r = _spot(rng, scene)
    colour = any_colour(rng)
    stroke(scene, ellipse_points((x + r, y), (r * 0.5, r * 0.5)), mix(colour, _SHADOW, 0.2), r * 0.18, closed=True)
    fill(scene, ellipse_points((x, y), (r, r)), colour)
    fill(scene, ellipse_points((x, y), (r * 0.82, r * 0.82)), mix(colour, _SHADOW, 0.6))


def _sheet(rng: Rng, scene: Picture) -> None:
    x, y, r = _spot(rng, scene)
    turn = rng.uniform(0, np.pi)
    corners = np.array([(-1.4, -1), (1.4, -1), (1.4, 1), (-1.4, 1)]) * r
    rotation = np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
    fill(scene, moved(corners @ rotation, x, y), any_colour(rng, (0.0, 0.3), (0.7, 1.0)))
    ink = any_colour(rng, (0.0, 0.6), (0.1, 0.5))
    for level in np.arange(-0.7, 0.8, 0.3):
        stroke(scene, np.array([(-1.1, level), (rng.uniform(0, 1.1), level)]) * r @ rotation + (x, y), ink, 1)


def _ball(rng: Rng, scene: Picture) -> None:
    x, y, r = _spot(rng, scene)
    colour = any_colour(rng, (0.4, 1.0), (0.5, 1.0))
    fill(scene, ellipse_points((x + r * 0.1, y + r * 0.15), (r * 0.8, r * 0.75)), _SHADOW)
    for step in range(4):
        inner = r * 0.75 * (1 - 0.22 * step)
        fill(
            scene,
            ellipse_points((x - r * 0.05 * step, y - r * 0.06 * step), (inner, inner)),
            mix(colour, WHITE, 0.1 * step),
        )


def _rod(rng: Rng, scene: Picture) -> None:
    x, y, r = _spot(rng, scene)
    turn = rng.uniform(0, np.pi)
    away = np.array((np.cos(turn), np.sin(turn))) * r * 2
    colour = any_colour(rng)
    stroke(scene, [(x, y), (x + away[0], y + away[1])], mix(colour, _SHADOW, 0.4), max(3.0, r * 0.25))
    stroke(scene, [(x, y), (x + away[0], y + away[1])], colour, max(1.0, r * 0.12))


def _block(rng: Rng, scene: Picture) -> None:
    x, y, r = _spot(rng, scene)
    wide, tall, depth = r * rng.uniform(0.6, 2.2), r * rng.uniform(0.6, 2.2), r * rng.uniform(0.1, 0.6)
    colour = any_colour(rng)
    fill(
        scene,
        [(x + wide, y), (x + wide + depth, y - depth), (x + wide + depth, y + tall - depth), (x + wide, y + tall)],
        mix(colour, _SHADOW, 0.45),
    )
    fill(scene, [(x, y), (x + depth, y - depth), (x + wide + depth, y - depth), (x + wide, y)], mix(colour, WHITE, 0.3))
    fill(scene, [(x, y), (x + wide, y), (x + wide, y + tall), (x, y + tall)], colour)


def _plant(rng: Rng, scene: Picture) -> None:
    x, y, r = _spot(rng, scene)
    green = any_colour(rng, (0.4, 0.8), (0.3, 0.7))
    green = (min(green[0], 120), max(green[1], 110), min(green[2], 100))
    for turn in rng.uniform(-2.6, -0.5, 9):
        tip = np.array((np.cos(turn), np.sin(turn))) * r * rng.uniform(1.0, 1.8)
        across = np.array((-tip[1], tip[0])) * 0.2
        corners = np.array([np.zeros(2), tip / 2 + across, tip, tip / 2 - across])
        leaf = moved(smooth_closed(corners, 2), x, y)
        fill(scene, leaf, mix(green, WHITE if turn < -1.5 else _SHADOW, rng.uniform(0, 0.3)))


_THINGS: tuple[Callable[[Rng, Picture], None], ...] = (_mug, _sheet, _ball, _rod, _block, _block, _plant)


# --- The hand -------------------------------------------------------------------------------------------------------


class Hand:
    """A hand that holds a package by one of its long edges: the palm behind it, the thumb and finger tips before it."""

    def __init__(self, rng: Rng, outline: npt.NDArray[np.float32]) -> None:
        """Choose where the hand grips.

        Args:
            rng: The source of every choice.
            outline: (4, 2) the package's corners in the photo: upper left, upper right, lower right, lower left, px.
        """
        self._skin = _SKINS[int(rng.integers(len(_SKINS)))]
        corners = outline.astype(np.float64)
        from_right = bool(rng.integers(2))
        near, far = ((1, 2), (0, 3)) if from_right else ((0, 3), (1, 2))
        height_of_grip = rng.uniform(0.55, 0.9)
        self._grip = corners[near[0]] * (1 - height_of_grip) + corners[near[1]] * height_of_grip
        opposite = corners[far[0]] * (1 - height_of_grip) + corners[far[1]] * height_of_grip
        self._inward = (opposite - self._grip) / max(float(np.linalg.norm(opposite - self._grip)), 1.0)
        self._along = np.array((-self._inward[1], self._inward[0])) * (1 if from_right else -1)
        self._reach = float(np.linalg.norm(opposite - self._grip))
        size = float(np.linalg.norm(corners[0] - corners[2]))
        self._radius = size * rng.uniform(0.032, 0.05)
        self._thumb = min(self._reach * 0.3, self._radius * rng.uniform(1.5, 3.8))
        self._tips = int(rng.integers(2, 5)) if self._reach < 11 * self._radius else 0
        self._lean = rng.uniform(-0.5, 0.5)

    def draw_behind(self, picture: Picture) -> None:
        """The palm and the wrist, before the package is drawn."""
        radius = self._radius
        wrist = self._grip - self._inward * radius * 16 - self._along * radius * 9
        palm = self._grip - self._inward * radius * 1.2 - self._along * radius
        dim = mix(self._skin, _SHADOW, 0.2)
        for step in range(_ARM_TONES):
            share = step / (_ARM_TONES - 1)
            offset = np.array((-0.9, -1.1)) * radius * share
            stroke(
                picture,
                [wrist + offset, palm + offset],
                mix(mix(dim, _SHADOW, 0.3), dim, share),
                radius * (8.0 - 5 * share),
            )

    def draw_before(self, picture: Picture) -> None:
        """The thumb and the finger tips, after the package is drawn."""
        radius = self._radius
        root = self._grip - self._inward * radius * 2.5 - self._along * radius * (2.0 + self._lean)
        self._finger(
            picture, root, self._grip + self._inward * self._thumb + self._along * radius * self._lean, radius * 1.15
        )
        edge = self._grip + self._inward * self._reach
        for number in range(self._tips):
            base = edge + self._along * radius * 2.1 * (number - 0.3 * self._tips)
            self._finger(picture, base + self._inward * radius * 0.8, base - self._inward * radius * 1.1, radius * 0.95)

    def _finger(
        self, picture: Picture, root: npt.NDArray[np.float64], tip: npt.NDArray[np.float64], radius: float
    ) -> None:
        light = np.array((-0.25, -0.3)) * radius
        for step in range(_FINGER_TONES):
            share = step / (_FINGER_TONES - 1)
            tone = mix(mix(self._skin, _SHADOW, 0.42), mix(self._skin, WHITE, 0.08), share**0.7)
            offset = light * share * 0.6
            stroke(picture, [root + offset, tip + offset], tone, 2 * radius * (1 - 0.75 * share))
        direction = (tip - root) / max(float(np.linalg.norm(tip - root)), 1.0)
        nail = tip + direction * radius * 0.2
        turn = float(np.arctan2(direction[1], direction[0]))
        fill(
            picture,
            ellipse_points((nail[0], nail[1]), (radius * 0.55, radius * 0.45), turn),
            mix(self._skin, (255, 225, 220), 0.6),
        )
