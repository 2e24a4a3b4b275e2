"""Pictograms of grains, nuts, sweets, drinks and dishes, each drawn in [-1, 1] x [-1, 1]."""

import numpy as np

from skuscan_models.synthetic.canvas import BLACK, WHITE, Colour, mix
from skuscan_models.synthetic.pen import Pen
from skuscan_models.synthetic.pictures_produce import BROWN, CREAM, GREEN


def wheat(pen: Pen, colour: Colour) -> None:
    """An ear of wheat."""
    pen.line([(0, 1.0), (0, -0.6)], mix(colour, BROWN, 0.4), 0.07)
    for y in np.linspace(-0.5, 0.45, 5):
        for side in (-1, 1):
            pen.oval(side * 0.24, float(y), 0.13, 0.3, colour, side * 0.5)
            pen.line([(side * 0.3, y - 0.2), (side * 0.55, y - 0.6)], mix(colour, WHITE, 0.2), 0.03)
    pen.oval(0, -0.75, 0.13, 0.28, mix(colour, WHITE, 0.2))


def grains(pen: Pen, colour: Colour) -> None:
    """A heap of rice or oat grains."""
    for number, (x, y) in enumerate(
        [
            (-0.7, 0.6),
            (-0.3, 0.7),
            (0.15, 0.65),
            (0.6, 0.6),
            (-0.5, 0.25),
            (-0.05, 0.3),
            (0.4, 0.25),
            (-0.25, -0.1),
            (0.2, -0.12),
            (0.0, -0.5),
        ]
    ):
        pen.oval(x, y, 0.32, 0.14, mix(colour, WHITE, 0.12 * (number % 3)), 0.9 * (number % 4) - 1.2)


def coffee(pen: Pen, colour: Colour) -> None:
    """Coffee beans."""
    for x, y, turn in ((-0.42, 0.35, 0.5), (0.45, 0.42, -0.6), (0.05, -0.42, 0.1)):
        pen.oval(x, y, 0.36, 0.5, colour, turn)
        across = np.array((np.sin(turn), -np.cos(turn)))
        bend = np.array((across[1], -across[0])) * 0.08
        middle = np.array((x, y))
        pen.line(
            [middle - 0.4 * across, middle + bend, middle - bend, middle + 0.4 * across], mix(colour, BLACK, 0.55), 0.08
        )


def chocolate(pen: Pen, colour: Colour) -> None:
    """A bar of chocolate in its paper."""
    corners = np.array([(-0.6, -0.95), (0.6, -0.95), (0.6, 0.95), (-0.6, 0.95)])
    pen.shape(corners, mix(colour, BLACK, 0.25))
    for row in range(4):
        for column in range(2):
            x, y = -0.55 + column * 0.56, -0.9 + row * 0.46
            pen.shape([(x, y), (x + 0.5, y), (x + 0.5, y + 0.4), (x, y + 0.4)], colour)
            pen.shape(
                [(x + 0.08, y + 0.08), (x + 0.42, y + 0.08), (x + 0.42, y + 0.3), (x + 0.08, y + 0.3)],
                mix(colour, WHITE, 0.14),
                outlined=False,
            )
    pen.shape([(-0.68, 0.35), (-0.2, 0.5), (0.2, 0.32), (0.68, 0.48), (0.68, 1.0), (-0.68, 1.0)], (214, 44, 52))


def nut(pen: Pen, colour: Colour) -> None:
    """A hazelnut with its cap."""
    pen.blob([(0, 1.0), (0.75, 0.5), (0.85, -0.2), (0.4, -0.55), (-0.4, -0.55), (-0.85, -0.2), (-0.75, 0.5)], colour)
    pen.soft(-0.3, 0.15, 0.16, 0.36, mix(colour, WHITE, 0.4), 0.2)
    pen.blob(
        [
            (-0.9, -0.15),
            (-0.6, -0.75),
            (0, -0.9),
            (0.6, -0.75),
            (0.9, -0.15),
            (0.45, -0.35),
            (0, -0.18),
            (-0.45, -0.35),
        ],
        mix(colour, CREAM, 0.55),
    )


def almond(pen: Pen, colour: Colour) -> None:
    """Two almonds."""
    for x, y, turn in ((-0.35, -0.1, 0.6), (0.4, 0.25, -0.5)):
        cos, sin = np.cos(turn), np.sin(turn)
        outline = np.array(
            [(0, -0.85), (0.3, -0.4), (0.45, 0.25), (0.2, 0.65), (-0.2, 0.65), (-0.45, 0.25), (-0.3, -0.4)]
        )
        pen.blob(outline @ np.array([(cos, sin), (-sin, cos)]) + np.array((x, y)), colour)
        pen.line(
            np.array([(0, -0.6), (0, 0.4)]) @ np.array([(cos, sin), (-sin, cos)]) + np.array((x, y)),
            mix(colour, BLACK, 0.25),
            0.05,
        )


def honey(pen: Pen, colour: Colour) -> None:
    """Cells of a honeycomb with a drop."""
    for x, y in ((-0.45, -0.5), (0.45, -0.5), (0, 0.26), (-0.9, 0.26), (0.9, 0.26)):
        cell = [(x + 0.5 * np.cos(a), y + 0.5 * np.sin(a)) for a in np.arange(6) * np.pi / 3 + np.pi / 6]
        pen.shape(cell, mix(colour, BROWN, 0.35))
        pen.shape([(x + (px - x) * 0.82, y + (py - y) * 0.82) for px, py in cell], colour)
    pen.blob([(0, 0.3), (0.25, 0.75), (0, 1.0), (-0.25, 0.75)], mix(colour, WHITE, 0.35))


def vanilla(pen: Pen, colour: Colour) -> None:
    """A vanilla flower over two pods."""
    pen.line([(-0.8, 0.9), (-0.2, 0.3), (0.7, 0.0)], (66, 42, 28), 0.12)
    pen.line([(-0.5, 1.0), (0.1, 0.45), (0.9, 0.3)], (92, 60, 36), 0.1)
    for turn in np.arange(5) * 2 * np.pi / 5 - 0.3:
        pen.leaf(-0.1, -0.25, 0.75, float(turn), colour)
    pen.oval(-0.1, -0.25, 0.2, 0.2, (250, 206, 70))


def caramel(pen: Pen, colour: Colour) -> None:
    """A wrapped sweet."""
    pen.shape([(-0.45, 0), (-1.0, -0.45), (-0.9, 0), (-1.0, 0.45)], mix(colour, WHITE, 0.35))
    pen.shape([(0.45, 0), (1.0, -0.45), (0.9, 0), (1.0, 0.45)], mix(colour, WHITE, 0.35))
    pen.ball(0, 0, 0.58, colour)


def cinnamon(pen: Pen, colour: Colour) -> None:
    """Cinnamon sticks tied together."""
    for x, tone in ((-0.4, 0.2), (0.4, 0.1), (0, 0.0)):
        pen.shape([(x - 0.2, -0.9), (x + 0.2, -0.9), (x + 0.2, 0.9), (x - 0.2, 0.9)], mix(colour, BLACK, tone))
        pen.oval(x, -0.9, 0.2, 0.1, mix(colour, WHITE, 0.4))
        pen.oval(x, -0.9, 0.09, 0.04, mix(colour, BLACK, 0.4))
    pen.line([(-0.65, 0.1), (0.65, 0.1)], CREAM, 0.16)


def biscuit(pen: Pen, colour: Colour) -> None:
    """A biscuit with chocolate drops."""
    pen.oval(0, 0, 0.95, 0.95, colour)
    pen.soft(-0.08, -0.08, 0.78, 0.78, mix(colour, WHITE, 0.16))
    for x, y in ((-0.4, -0.35), (0.25, -0.5), (0.5, 0.1), (-0.05, 0.05), (-0.5, 0.3), (0.15, 0.55)):
        pen.oval(x, y, 0.14, 0.12, (72, 42, 26))


def cheese(pen: Pen, colour: Colour) -> None:
    """A wedge of cheese."""
    pen.shape([(-0.95, 0.0), (0.5, -0.75), (0.95, -0.1), (0.95, 0.0)], mix(colour, WHITE, 0.35))
    pen.shape([(-0.95, 0.0), (0.95, -0.05), (0.95, 0.7), (-0.95, 0.7)], colour)
    for x, y, radius in ((-0.5, 0.35, 0.17), (0.1, 0.2, 0.13), (0.55, 0.45, 0.19), (0.4, -0.3, 0.1)):
        pen.oval(x, y, radius, radius * 0.85, mix(colour, BROWN, 0.35))


def egg(pen: Pen, colour: Colour) -> None:
    """A fried egg."""
    pen.blob([(-0.95, -0.1), (-0.5, -0.8), (0.2, -0.7), (0.9, -0.4), (0.8, 0.4), (0.2, 0.85), (-0.6, 0.7)], WHITE)
    pen.ball(0, 0, 0.4, colour)


def cup(pen: Pen, colour: Colour) -> None:
    """A steaming cup."""
    for x in (-0.4, 0, 0.4):
        pen.line([(x, -0.35), (x + 0.12, -0.55), (x - 0.08, -0.75), (x + 0.06, -1.0)], mix(colour, WHITE, 0.6), 0.07)
    pen.line([(0.5, 0), (0.95, 0.1), (0.85, 0.5), (0.45, 0.55)], colour, 0.14)
    pen.blob([(-0.75, -0.2), (0.7, -0.2), (0.6, 0.6), (0.25, 0.85), (-0.35, 0.85), (-0.65, 0.6)], colour)
    pen.oval(0, -0.12, 0.6, 0.12, (92, 54, 30))
    pen.oval(0, 0.92, 0.85, 0.1, mix(colour, BLACK, 0.25))


def bowl(pen: Pen, colour: Colour) -> None:
    """A bowl of something good with a spoon."""
    pen.line([(0.3, -0.1), (0.95, -0.85)], (150, 150, 160), 0.12)
    pen.shape([(0.95 * np.cos(a), 0.85 * np.sin(a)) for a in np.linspace(0, np.pi, 18)], mix(colour, BLACK, 0.15))
    pen.oval(0, 0, 0.95, 0.3, mix(colour, WHITE, 0.4))
    pen.oval(0, 0.02, 0.8, 0.22, (226, 172, 92))
    for x, y in ((-0.4, 0), (-0.1, 0.08), (0.2, -0.04), (0.45, 0.04), (-0.2, -0.08)):
        pen.soft(x, y, 0.1, 0.05, (250, 214, 140))


def milk(pen: Pen, colour: Colour) -> None:
    """A glass of milk or juice with a straw."""
    pen.line([(0.1, 0.3), (0.45, -1.0)], (214, 60, 70), 0.09)
    pen.shape([(-0.6, -0.6), (0.6, -0.6), (0.45, 0.95), (-0.45, 0.95)], mix(colour, WHITE, 0.65))
    pen.shape([(-0.56, -0.3), (0.56, -0.3), (0.43, 0.9), (-0.43, 0.9)], colour)
    pen.oval(0, -0.3, 0.56, 0.1, mix(colour, WHITE, 0.4))


def splash(pen: Pen, colour: Colour) -> None:
    """A splash of milk, cream or juice."""
    pen.blob(
        [
            (-1.0, 0.5),
            (-0.75, 0.0),
            (-0.95, -0.55),
            (-0.45, -0.1),
            (-0.15, -0.9),
            (0.1, -0.15),
            (0.6, -0.75),
            (0.55, 0.0),
            (1.0, -0.1),
            (0.9, 0.6),
            (0.3, 0.8),
            (-0.4, 0.8),
        ],
        colour,
    )
    pen.oval(0.25, -0.85, 0.09, 0.12, colour)
    pen.soft(-0.1, 0.35, 0.5, 0.2, mix(colour, WHITE, 0.5))


def ginger(pen: Pen, colour: Colour) -> None:
    """A root of ginger."""
    pen.blob(
        [
            (-0.95, 0.0),
            (-0.5, -0.3),
            (-0.45, -0.9),
            (-0.05, -0.85),
            (0.0, -0.35),
            (0.6, -0.6),
            (0.95, -0.25),
            (0.55, 0.1),
            (0.7, 0.7),
            (0.25, 0.85),
            (0.05, 0.35),
            (-0.6, 0.45),
        ],
        colour,
    )
    for x, y in ((-0.5, 0.05), (-0.2, -0.4), (0.35, -0.2), (0.3, 0.35)):
        pen.line([(x - 0.15, y), (x + 0.15, y + 0.06)], mix(colour, BROWN, 0.5), 0.04)


def sprig(pen: Pen, colour: Colour) -> None:
    """A sprig of herbs."""
    pen.line([(0, 1.0), (0.05, 0.2), (-0.05, -0.7)], mix(colour, BLACK, 0.25), 0.07)
    for y, length in ((0.55, 0.6), (0.2, 0.7), (-0.15, 0.65), (-0.45, 0.5)):
        pen.leaf(0, y, length, -0.5, colour)
        pen.leaf(0, y, length, -2.64, mix(colour, BLACK, 0.12))
    pen.leaf(-0.05, -0.55, 0.48, -1.57, mix(colour, WHITE, 0.15))


def teapot(pen: Pen, colour: Colour) -> None:
    """A teapot."""
    pen.line([(0.55, -0.2), (0.98, -0.15), (0.95, 0.3), (0.55, 0.5)], colour, 0.13)
    pen.shape([(-0.5, 0.3), (-1.0, -0.45), (-0.85, -0.5), (-0.45, -0.05)], mix(colour, BLACK, 0.15))
    pen.oval(0, 0.25, 0.68, 0.58, colour)
    pen.oval(0, -0.3, 0.36, 0.12, mix(colour, BLACK, 0.25))
    pen.ball(0, -0.5, 0.13, mix(colour, BLACK, 0.15))
    pen.leaf(-0.25, 0.4, 0.6, -0.6, GREEN)
