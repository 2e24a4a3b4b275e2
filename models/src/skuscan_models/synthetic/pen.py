"""A pen that draws in a unit square, placed anywhere on a picture: what the pictograms are drawn with."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from skuscan_models.synthetic.canvas import (
    BLACK,
    WHITE,
    Colour,
    Picture,
    Points,
    ellipse_points,
    fill,
    mix,
    moved,
    smooth_closed,
    stroke,
)

_INK: Colour = (38, 30, 34)
BRIGHTNESS = (0.299, 0.587, 0.114)  # ITU-R BT.601 weights of red, green and blue


class Style(Enum):
    """How a brand has its pictures drawn."""

    SHADED = "shaded"
    FLAT = "flat"
    OUTLINED = "outlined"
    ONE_COLOUR = "one colour"


@dataclass(frozen=True)
class Pen:
    """Draws shapes given in [-1, 1] x [-1, 1].

    Attributes:
        picture: (H, W, 3) uint8, drawn on in place.
        x: Middle of the square, px.
        y: Middle of the square, px.
        size: Half the side of the square, px.
        turn: Clockwise, radians.
        style: How shapes look.
        tint: The colour of everything in the style ONE_COLOUR.
    """

    picture: Picture
    x: float
    y: float
    size: float
    turn: float = 0.0
    style: Style = Style.SHADED
    tint: Colour = BLACK

    def shape(self, points: npt.ArrayLike, colour: Colour, outlined: bool = True) -> None:
        """Fill a closed outline, (N, 2)."""
        placed = self._placed(points)
        fill(self.picture, placed, self._toned(colour))
        if outlined and self.style is Style.OUTLINED:
            stroke(self.picture, placed, _INK, self.size * 0.045, closed=True)

    def blob(self, points: npt.ArrayLike, colour: Colour) -> None:
        """Fill an outline with its corners rounded off, (N, 2)."""
        self.shape(smooth_closed(points), colour)

    def oval(self, x: float, y: float, rx: float, ry: float, colour: Colour, turn: float = 0.0) -> None:
        """Fill an ellipse."""
        self.shape(ellipse_points((x, y), (rx, ry), turn), colour)

    def line(self, points: npt.ArrayLike, colour: Colour, width: float) -> None:
        """Draw a line through the points, (N, 2), of a width in units."""
        stroke(self.picture, self._placed(points), self._toned(colour), width * self.size)

    def ball(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """A round fruit: dark rim, light middle, a gleam."""
        self.oval(x, y, radius, radius, colour)
        if self.style is Style.FLAT:
            return
        self.soft(x - 0.12 * radius, y - 0.14 * radius, 0.78 * radius, 0.76 * radius, mix(colour, WHITE, 0.14))
        self.soft(x - 0.24 * radius, y - 0.3 * radius, 0.46 * radius, 0.42 * radius, mix(colour, WHITE, 0.3))
        self.soft(x - 0.36 * radius, y - 0.44 * radius, 0.16 * radius, 0.12 * radius, mix(colour, WHITE, 0.75))

    def soft(self, x: float, y: float, rx: float, ry: float, colour: Colour, turn: float = 0.0) -> None:
        """An ellipse that never has an outline: a gleam or a shade. The style FLAT leaves it out."""
        if self.style is not Style.FLAT:
            self.shape(ellipse_points((x, y), (rx, ry), turn), colour, outlined=False)

    def leaf(self, x: float, y: float, length: float, turn: float, colour: Colour) -> None:
        """A pointed leaf with its rib, from (x, y) in the direction `turn`."""
        ahead, across = (
            np.array((np.cos(turn), np.sin(turn))) * length,
            np.array((-np.sin(turn), np.cos(turn))) * length,
        )
        root = np.array((x, y))
        middle, tip = root + 0.45 * ahead, root + ahead
        side = 0.3 * across
        outline = [root, middle - 0.8 * side - 0.2 * ahead, middle - side, root + 0.8 * ahead - 0.45 * side, tip]
        outline += [root + 0.8 * ahead + 0.45 * side, middle + side, middle + 0.8 * side - 0.2 * ahead]
        self.shape(outline, colour)
        self.line([root, root + 0.85 * ahead], mix(colour, BLACK, 0.3), 0.04)

    def _placed(self, points: npt.ArrayLike) -> Points:
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        turned = np.asarray(points, np.float64) @ np.array([(cos, sin), (-sin, cos)])
        return moved(turned, self.x, self.y, self.size)

    def _toned(self, colour: Colour) -> Colour:
        if self.style is not Style.ONE_COLOUR:
            return colour
        light = sum(weight * channel for weight, channel in zip(BRIGHTNESS, colour, strict=True)) / 255
        return mix(self.tint, WHITE, 0.85 * light) if light > 0.25 else mix(self.tint, BLACK, 0.4 - light)
