"""Pictograms of fruit and vegetables, each drawn in [-1, 1] x [-1, 1] with its main colour given."""

import numpy as np

from skuscan_models.synthetic.canvas import BLACK, WHITE, Colour, ellipse_points, mix, star_points
from skuscan_models.synthetic.pen import Pen

GREEN: Colour = (88, 158, 58)
DARK_GREEN: Colour = (46, 108, 48)
BROWN: Colour = (112, 74, 42)
CREAM: Colour = (252, 244, 214)


def apple(pen: Pen, colour: Colour) -> None:
    """An apple with a stalk and a leaf."""
    pen.blob(
        [
            (0, -0.5),
            (0.55, -0.75),
            (0.98, -0.3),
            (0.85, 0.55),
            (0.35, 0.98),
            (0, 0.82),
            (-0.35, 0.98),
            (-0.85, 0.55),
            (-0.98, -0.3),
            (-0.55, -0.75),
        ],
        colour,
    )
    pen.soft(-0.3, 0.05, 0.42, 0.55, mix(colour, WHITE, 0.18), 0.3)
    pen.soft(-0.45, -0.2, 0.13, 0.24, mix(colour, WHITE, 0.7), 0.5)
    pen.line([(0, -0.5), (0.06, -0.95)], BROWN, 0.12)
    pen.leaf(0.06, -0.75, 0.6, -0.4, GREEN)


def pear(pen: Pen, colour: Colour) -> None:
    """A pear."""
    pen.blob(
        [
            (-0.2, -0.8),
            (0.2, -0.8),
            (0.36, -0.2),
            (0.75, 0.3),
            (0.55, 0.95),
            (-0.55, 0.95),
            (-0.75, 0.3),
            (-0.36, -0.2),
        ],
        colour,
    )
    pen.soft(-0.2, 0.35, 0.28, 0.42, mix(colour, WHITE, 0.3), 0.2)
    pen.line([(0, -0.7), (0.1, -1.0)], BROWN, 0.11)
    pen.leaf(0.05, -0.8, 0.5, 0.1, GREEN)


def citrus(pen: Pen, colour: Colour) -> None:
    """A slice of orange, lemon or lime with its segments."""
    pen.oval(0, 0, 0.98, 0.98, colour)
    pen.oval(0, 0, 0.84, 0.84, CREAM)
    for step in range(8):
        first, last = step * np.pi / 4 + 0.06, (step + 1) * np.pi / 4 - 0.06
        arc = [(0.77 * np.cos(a), 0.77 * np.sin(a)) for a in np.linspace(first, last, 6)]
        middle = (first + last) / 2
        pen.shape([(0.1 * np.cos(middle), 0.1 * np.sin(middle)), *arc], mix(colour, WHITE, 0.22), outlined=False)


def strawberry(pen: Pen, colour: Colour) -> None:
    """A strawberry with seeds."""
    pen.blob(
        [
            (-0.45, -0.6),
            (0.45, -0.6),
            (0.9, -0.25),
            (0.6, 0.45),
            (0.08, 1.0),
            (-0.08, 1.0),
            (-0.6, 0.45),
            (-0.9, -0.25),
        ],
        colour,
    )
    pen.soft(-0.32, -0.05, 0.25, 0.4, mix(colour, WHITE, 0.2), 0.5)
    for x, y in (
        (-0.4, -0.15),
        (0, -0.2),
        (0.4, -0.15),
        (-0.2, 0.15),
        (0.22, 0.15),
        (0, 0.48),
        (-0.45, 0.2),
        (0.45, 0.2),
    ):
        pen.soft(x, y, 0.035, 0.06, (255, 225, 120))
    for turn in (-2.7, -2.1, -1.57, -1.0, -0.45):
        pen.leaf(0, -0.55, 0.5, turn, GREEN)


def berries(pen: Pen, colour: Colour) -> None:
    """A raspberry or blackberry: a cluster of beads."""
    rows = ((-0.45, (-0.3, 0.3)), (-0.2, (-0.5, 0, 0.5)), (0.12, (-0.42, 0, 0.42)), (0.42, (-0.28, 0.28)), (0.7, (0,)))
    pen.oval(0, 0.1, 0.6, 0.75, mix(colour, BLACK, 0.25))
    for y, row in rows:
        for x in row:
            pen.ball(x, y, 0.26, colour)
    for turn in (-2.6, -1.57, -0.6):
        pen.leaf(0, -0.6, 0.48, turn, GREEN)


def blueberry(pen: Pen, colour: Colour) -> None:
    """Three blueberries and a leaf."""
    pen.leaf(0.1, -0.3, 0.95, -0.7, GREEN)
    for x, y, radius in ((-0.45, 0.35, 0.5), (0.48, 0.4, 0.46), (0, -0.28, 0.5)):
        pen.ball(x, y, radius, colour)
        pen.shape(star_points((x + 0.05, y - 0.05), 0.22, 0.1, 5), mix(colour, BLACK, 0.5), outlined=False)


def cherry(pen: Pen, colour: Colour) -> None:
    """Two cherries on their stalks."""
    pen.line([(-0.45, 0.4), (-0.2, -0.3), (0.2, -0.9)], DARK_GREEN, 0.09)
    pen.line([(0.5, 0.5), (0.4, -0.2), (0.2, -0.9)], DARK_GREEN, 0.09)
    pen.leaf(0.2, -0.85, 0.75, 0.35, GREEN)
    pen.ball(-0.48, 0.45, 0.46, colour)
    pen.ball(0.5, 0.52, 0.44, colour)


def banana(pen: Pen, colour: Colour) -> None:
    """A banana."""
    outer = [(np.cos(a), 0.95 * np.sin(a) - 0.35) for a in np.linspace(0.15, np.pi - 0.1, 14)]
    inner = [(0.85 * np.cos(a), 0.45 * np.sin(a) - 0.35) for a in np.linspace(np.pi - 0.1, 0.15, 14)]
    pen.shape(outer + inner, colour)
    pen.line(
        [(0.88 * np.cos(a), 0.72 * np.sin(a) - 0.35) for a in np.linspace(0.3, 2.85, 12)],
        mix(colour, WHITE, 0.45),
        0.07,
    )
    pen.oval(0.94, -0.28, 0.1, 0.12, BROWN)
    pen.oval(-0.94, -0.3, 0.08, 0.09, BROWN)


def grapes(pen: Pen, colour: Colour) -> None:
    """A bunch of grapes."""
    pen.line([(0, -0.5), (0.1, -1.0)], BROWN, 0.1)
    pen.leaf(0.05, -0.65, 0.8, -0.25, GREEN)
    for y, row in ((-0.42, (-0.5, 0, 0.5)), (-0.02, (-0.55, -0.05, 0.45)), (0.34, (-0.3, 0.22)), (0.7, (-0.05,))):
        for x in row:
            pen.ball(x, y, 0.3, colour)


def peach(pen: Pen, colour: Colour) -> None:
    """A peach or a mango-like stone fruit."""
    pen.ball(0, 0.1, 0.85, colour)
    pen.soft(0.35, 0.25, 0.42, 0.5, mix(colour, (230, 60, 50), 0.4), 0.3)
    pen.line([(0.02, -0.7), (0.16, -0.1), (0.05, 0.6)], mix(colour, BLACK, 0.25), 0.05)
    pen.leaf(0, -0.7, 0.75, -0.35, GREEN)


def mango(pen: Pen, colour: Colour) -> None:
    """A mango."""
    pen.blob([(-0.7, -0.45), (0.1, -0.85), (0.85, -0.35), (0.9, 0.35), (0.3, 0.85), (-0.5, 0.7), (-0.95, 0.2)], colour)
    pen.soft(-0.45, -0.05, 0.35, 0.5, mix(colour, (220, 40, 40), 0.5), 0.5)
    pen.soft(0.35, 0.2, 0.4, 0.4, mix(colour, WHITE, 0.25))
    pen.leaf(0.05, -0.75, 0.6, -0.3, GREEN)


def pineapple(pen: Pen, colour: Colour) -> None:
    """A pineapple."""
    for turn in np.linspace(-2.5, -0.65, 7):
        pen.leaf(0, -0.2, 0.82, turn, DARK_GREEN if abs(turn + 1.57) > 0.4 else GREEN)
    pen.oval(0, 0.38, 0.52, 0.62, colour)
    for step in np.linspace(-0.7, 0.7, 6):
        pen.line([(-0.42, 0.38 + step * 0.8), (0.42, 0.58 + step * 0.55)], mix(colour, BROWN, 0.55), 0.04)
        pen.line([(0.42, 0.38 + step * 0.8), (-0.42, 0.58 + step * 0.55)], mix(colour, BROWN, 0.55), 0.04)


def coconut(pen: Pen, colour: Colour) -> None:
    """Half a coconut."""
    pen.oval(0, 0.1, 0.95, 0.85, colour)
    pen.oval(0, -0.02, 0.82, 0.62, WHITE)
    pen.soft(0.04, 0.02, 0.56, 0.38, (226, 222, 212))


def kiwi(pen: Pen, colour: Colour) -> None:
    """A slice of kiwi."""
    pen.oval(0, 0, 0.95, 0.88, BROWN)
    pen.oval(0, 0, 0.87, 0.8, colour)
    pen.oval(0, 0, 0.3, 0.26, CREAM)
    for a in np.linspace(0, 2 * np.pi, 14, endpoint=False):
        pen.oval(0.47 * np.cos(a), 0.43 * np.sin(a), 0.07, 0.035, (36, 32, 24), float(a))


def melon(pen: Pen, colour: Colour) -> None:
    """A wedge of water melon."""
    for scale, tone in ((1.0, DARK_GREEN), (0.9, CREAM), (0.82, colour)):
        pen.shape([(scale * np.cos(a), 1.3 * scale * np.sin(a) - 0.5) for a in np.linspace(0, np.pi, 20)], tone)
    for x, y in ((-0.4, -0.2), (0, -0.1), (0.4, -0.2), (-0.2, 0.15), (0.2, 0.15), (0, 0.38)):
        pen.soft(x, y, 0.04, 0.08, (30, 24, 24))


def tomato(pen: Pen, colour: Colour) -> None:
    """A tomato."""
    pen.ball(0, 0.12, 0.86, colour)
    for turn in (-2.9, -2.2, -1.57, -0.9, -0.2):
        pen.leaf(0, -0.58, 0.48, turn, DARK_GREEN)


def chili(pen: Pen, colour: Colour) -> None:
    """A chili pepper."""
    pen.blob(
        [
            (-0.75, -0.6),
            (-0.35, -0.72),
            (0.1, -0.2),
            (0.55, 0.25),
            (1.05, 0.5),
            (0.4, 0.65),
            (-0.3, 0.3),
            (-0.8, -0.25),
        ],
        colour,
    )
    pen.line([(-0.45, -0.4), (0.0, 0.1), (0.45, 0.38)], mix(colour, WHITE, 0.5), 0.07)
    pen.blob([(-0.9, -0.7), (-0.45, -0.85), (-0.3, -0.6), (-0.65, -0.4)], DARK_GREEN)
    pen.line([(-0.65, -0.7), (-0.85, -1.0)], DARK_GREEN, 0.13)


def paprika(pen: Pen, colour: Colour) -> None:
    """A sweet pepper."""
    pen.blob(
        [
            (-0.85, -0.4),
            (-0.4, -0.68),
            (0, -0.5),
            (0.4, -0.68),
            (0.85, -0.4),
            (0.7, 0.6),
            (0.35, 0.95),
            (0, 0.8),
            (-0.35, 0.95),
            (-0.7, 0.6),
        ],
        colour,
    )
    pen.line([(0, -0.4), (0.05, 0.65)], mix(colour, BLACK, 0.25), 0.06)
    pen.soft(-0.42, -0.05, 0.14, 0.36, mix(colour, WHITE, 0.5))
    pen.line([(0, -0.5), (-0.05, -0.8), (0.12, -1.0)], DARK_GREEN, 0.17)


def onion(pen: Pen, colour: Colour) -> None:
    """An onion."""
    pen.blob(
        [
            (0, -0.95),
            (0.15, -0.5),
            (0.85, -0.1),
            (0.8, 0.6),
            (0.2, 0.9),
            (-0.2, 0.9),
            (-0.8, 0.6),
            (-0.85, -0.1),
            (-0.15, -0.5),
        ],
        colour,
    )
    for width in (0.2, 0.5):
        for side in (-1, 1):
            pen.line([(0, -0.7), (side * width, 0.1), (side * width * 0.6, 0.75)], mix(colour, BLACK, 0.2), 0.04)
    pen.soft(-0.35, 0.05, 0.12, 0.3, mix(colour, WHITE, 0.5), 0.2)


def mushroom(pen: Pen, colour: Colour) -> None:
    """A mushroom."""
    pen.blob([(-0.28, 0), (0.28, 0), (0.36, 0.9), (-0.36, 0.9)], CREAM)
    pen.shape([(0.95 * np.cos(a), 0.95 * np.sin(a) + 0.15) for a in np.linspace(np.pi, 2 * np.pi, 18)], colour)
    for x, y, radius in ((-0.45, -0.2, 0.13), (0.1, -0.45, 0.15), (0.5, -0.1, 0.12)):
        pen.soft(x, y, radius, radius * 0.8, mix(colour, WHITE, 0.6))


def corn(pen: Pen, colour: Colour) -> None:
    """A corn cob in its leaves."""
    pen.oval(0, -0.1, 0.42, 0.88, colour)
    for y in np.linspace(-0.75, 0.5, 8):
        for x in (-0.22, 0, 0.22):
            pen.soft(x, float(y), 0.09, 0.07, mix(colour, WHITE, 0.4))
    pen.leaf(-0.05, 1.0, 1.35, -2.1, GREEN)
    pen.leaf(0.05, 1.0, 1.35, -1.05, DARK_GREEN)


def peas(pen: Pen, colour: Colour) -> None:
    """An open pod of peas."""
    pen.shape(ellipse_points((0, 0), (1.0, 0.4), -0.5), mix(colour, BLACK, 0.25))
    for step in (-0.6, -0.2, 0.2, 0.6):
        pen.ball(step * 0.95, -step * 0.52, 0.24, colour)


def carrot(pen: Pen, colour: Colour) -> None:
    """A carrot."""
    for turn in (-1.2, -0.8, -0.4):
        pen.leaf(0.35, -0.4, 0.8, turn, GREEN)
    pen.blob([(0.1, -0.65), (0.6, -0.2), (0.1, 0.45), (-0.8, 0.98), (-0.98, 0.85), (-0.45, 0)], colour)
    for x, y in ((0.05, -0.15), (-0.3, 0.25), (-0.55, 0.6)):
        pen.line([(x - 0.12, y - 0.08), (x + 0.16, y + 0.14)], mix(colour, BLACK, 0.2), 0.05)


def olive(pen: Pen, colour: Colour) -> None:
    """Two olives on a twig."""
    pen.leaf(-0.1, -0.5, 0.9, -0.5, DARK_GREEN)
    pen.leaf(-0.1, -0.5, 0.85, -2.6, GREEN)
    for x, y in ((-0.38, 0.3), (0.42, 0.35)):
        pen.oval(x, y, 0.38, 0.52, colour, 0.2 if x < 0 else -0.2)
        pen.soft(x - 0.12, y - 0.16, 0.1, 0.17, mix(colour, WHITE, 0.6), 0.3)


def pumpkin(pen: Pen, colour: Colour) -> None:
    """A pumpkin."""
    for x, tone in ((-0.55, 0.15), (0.55, 0.15), (-0.28, 0.05), (0.28, 0.05)):
        pen.oval(x, 0.2, 0.42, 0.66, mix(colour, BLACK, tone))
    pen.oval(0, 0.2, 0.34, 0.7, mix(colour, WHITE, 0.12))
    pen.line([(0, -0.45), (0.05, -0.7), (0.2, -0.9)], DARK_GREEN, 0.16)


def potato(pen: Pen, colour: Colour) -> None:
    """A potato crisp, wavy and speckled."""
    pen.blob([(-0.95, 0.1), (-0.5, -0.6), (0.2, -0.55), (0.95, -0.35), (0.75, 0.35), (0.1, 0.6), (-0.55, 0.75)], colour)
    pen.blob(
        [(-0.7, 0.15), (-0.35, -0.35), (0.25, -0.3), (0.7, -0.2), (0.45, 0.15), (-0.3, 0.4)], mix(colour, WHITE, 0.3)
    )
    for x, y in ((-0.4, 0.05), (0.1, -0.1), (0.4, 0.0), (-0.1, 0.25), (0.55, -0.25)):
        pen.soft(x, y, 0.05, 0.04, mix(colour, BROWN, 0.6))
