"""Pictograms of animals, plants, weather and water, each drawn in [-1, 1] x [-1, 1]."""

import numpy as np

from skuscan_models.synthetic.canvas import BLACK, WHITE, Colour, mix, star_points
from skuscan_models.synthetic.pen import Pen
from skuscan_models.synthetic.pictures_produce import BROWN, DARK_GREEN, GREEN

_EYE: Colour = (28, 22, 24)


def cow(pen: Pen, colour: Colour) -> None:
    """A cow's head."""
    for side in (-1, 1):
        pen.blob([(side * 0.35, -0.75), (side * 0.65, -1.0), (side * 0.6, -0.55)], (236, 222, 190))
        pen.oval(side * 0.8, -0.35, 0.28, 0.16, mix(colour, BLACK, 0.3), side * 0.4)
    pen.blob([(-0.6, -0.75), (0.6, -0.75), (0.6, 0.1), (0.45, 0.85), (-0.45, 0.85), (-0.6, 0.1)], colour)
    pen.blob([(0.05, -0.7), (0.55, -0.65), (0.55, 0.0), (0.2, -0.1)], (60, 46, 42))
    pen.oval(0, 0.58, 0.52, 0.36, (244, 186, 178))
    for side in (-1, 1):
        pen.oval(side * 0.2, 0.56, 0.07, 0.1, (150, 88, 84))
        pen.oval(side * 0.3, -0.2, 0.09, 0.12, _EYE if side < 0 else WHITE)


def hen(pen: Pen, colour: Colour) -> None:
    """A hen, from the side."""
    pen.blob(
        [
            (-0.95, -0.6),
            (-0.5, -0.1),
            (0.15, -0.1),
            (0.3, -0.75),
            (0.7, -0.75),
            (0.8, 0.1),
            (0.45, 0.7),
            (-0.35, 0.7),
            (-0.9, 0.2),
        ],
        colour,
    )
    pen.blob([(0.3, -0.7), (0.32, -1.0), (0.48, -0.85), (0.6, -1.0), (0.7, -0.7)], (214, 40, 40))
    pen.shape([(0.75, -0.6), (1.0, -0.48), (0.75, -0.4)], (244, 176, 44))
    pen.oval(0.58, -0.55, 0.06, 0.06, _EYE)
    pen.blob([(-0.4, 0.05), (0.25, 0.05), (0.1, 0.45), (-0.3, 0.4)], mix(colour, BLACK, 0.18))
    for x in (-0.1, 0.2):
        pen.line([(x, 0.65), (x, 0.98), (x + 0.15, 0.98)], (232, 152, 40), 0.07)


def fish(pen: Pen, colour: Colour) -> None:
    """A fish."""
    pen.shape([(0.45, 0), (1.0, -0.5), (0.88, 0), (1.0, 0.5)], mix(colour, BLACK, 0.2))
    pen.blob([(-1.0, 0.0), (-0.6, -0.45), (0.0, -0.55), (0.6, -0.1), (0.6, 0.1), (0.0, 0.55), (-0.6, 0.45)], colour)
    pen.blob([(-0.75, 0.15), (0.4, 0.1), (0.0, 0.45), (-0.5, 0.4)], mix(colour, WHITE, 0.5))
    for x in (-0.2, 0.05, 0.3):
        pen.line([(x, -0.25), (x + 0.08, 0), (x, 0.22)], mix(colour, BLACK, 0.3), 0.045)
    pen.oval(-0.62, -0.1, 0.1, 0.1, WHITE)
    pen.oval(-0.62, -0.1, 0.05, 0.05, _EYE)


def shrimp(pen: Pen, colour: Colour) -> None:
    """A shrimp, curled."""
    turns = np.linspace(-0.4, 4.0, 9)
    for number, turn in enumerate(turns):
        size = 0.34 - 0.022 * number
        pen.oval(
            0.55 * np.cos(turn),
            0.55 * np.sin(turn),
            size,
            size * 0.8,
            mix(colour, WHITE, 0.3 * (number % 2)),
            float(turn),
        )
    pen.line([(0.6, -0.3), (0.9, -0.7), (0.5, -0.98)], mix(colour, BLACK, 0.2), 0.05)
    pen.oval(0.62, -0.3, 0.06, 0.06, _EYE)


def cat(pen: Pen, colour: Colour) -> None:
    """A cat's head."""
    for side in (-1, 1):
        pen.shape([(side * 0.85, -0.95), (side * 0.2, -0.55), (side * 0.8, -0.05)], colour)
        pen.shape([(side * 0.72, -0.72), (side * 0.4, -0.5), (side * 0.7, -0.25)], (244, 172, 170))
    pen.oval(0, 0.12, 0.88, 0.75, colour)
    pen.soft(0, 0.42, 0.45, 0.35, mix(colour, WHITE, 0.5))
    for side in (-1, 1):
        pen.oval(side * 0.36, -0.02, 0.15, 0.18, (190, 214, 90))
        pen.oval(side * 0.36, -0.02, 0.05, 0.16, _EYE)
        for y in (0.3, 0.44):
            pen.line([(side * 0.3, 0.36), (side * 0.98, y)], mix(colour, BLACK, 0.55), 0.03)
    pen.shape([(-0.11, 0.24), (0.11, 0.24), (0, 0.37)], (226, 110, 116))


def dog(pen: Pen, colour: Colour) -> None:
    """A dog's head."""
    pen.oval(0, 0, 0.72, 0.82, colour)
    for side in (-1, 1):
        pen.blob(
            [(side * 0.4, -0.8), (side * 0.85, -0.6), (side * 0.98, 0.3), (side * 0.62, 0.4), (side * 0.55, -0.3)],
            mix(colour, BLACK, 0.4),
        )
        pen.oval(side * 0.28, -0.15, 0.1, 0.12, _EYE)
    pen.oval(0, 0.42, 0.42, 0.38, mix(colour, WHITE, 0.6))
    pen.oval(0, 0.25, 0.17, 0.13, _EYE)
    pen.oval(0, 0.72, 0.13, 0.2, (232, 104, 112))


def sheep(pen: Pen, colour: Colour) -> None:
    """A sheep's head in its wool."""
    for turn in np.linspace(0, 2 * np.pi, 10, endpoint=False):
        pen.oval(0.6 * np.cos(turn), 0.6 * np.sin(turn) - 0.1, 0.34, 0.34, colour)
    pen.oval(0, -0.1, 0.66, 0.6, colour)
    for side in (-1, 1):
        pen.oval(side * 0.55, 0.05, 0.24, 0.11, (70, 58, 56), side * 0.4)
    pen.oval(0, 0.25, 0.4, 0.58, (70, 58, 56))
    for side in (-1, 1):
        pen.oval(side * 0.15, 0.1, 0.08, 0.1, WHITE)
        pen.oval(side * 0.15, 0.1, 0.04, 0.05, _EYE)


def rabbit(pen: Pen, colour: Colour) -> None:
    """A rabbit's head."""
    for side in (-1, 1):
        pen.oval(side * 0.3, -0.55, 0.2, 0.5, colour, side * 0.2)
        pen.soft(side * 0.3, -0.5, 0.1, 0.34, (246, 190, 190), side * 0.2)
    pen.oval(0, 0.35, 0.66, 0.6, colour)
    for side in (-1, 1):
        pen.oval(side * 0.26, 0.22, 0.08, 0.11, _EYE)
        pen.oval(side * 0.16, 0.6, 0.2, 0.15, mix(colour, WHITE, 0.6))
    pen.oval(0, 0.47, 0.09, 0.06, (232, 120, 130))


def duck(pen: Pen, colour: Colour) -> None:
    """A duck on the water."""
    pen.blob(
        [
            (-1.0, -0.1),
            (-0.3, 0.05),
            (0.1, -0.15),
            (0.15, -0.85),
            (0.7, -0.85),
            (0.7, -0.3),
            (0.8, 0.3),
            (0.4, 0.7),
            (-0.6, 0.65),
        ],
        colour,
    )
    pen.blob([(0.62, -0.65), (1.05, -0.5), (0.65, -0.38)], (246, 150, 30))
    pen.oval(0.48, -0.6, 0.06, 0.07, _EYE)
    pen.blob([(-0.55, 0.1), (0.3, 0.1), (0.05, 0.5), (-0.4, 0.45)], mix(colour, BLACK, 0.18))
    pen.line([(-0.95, 0.78), (-0.5, 0.68), (0, 0.78), (0.5, 0.68), (0.95, 0.78)], (70, 150, 214), 0.1)


def bee(pen: Pen, colour: Colour) -> None:
    """A bee."""
    pen.oval(-0.15, -0.5, 0.28, 0.45, (214, 232, 244), -0.4)
    pen.oval(0.25, -0.5, 0.26, 0.42, (232, 242, 250), 0.4)
    pen.oval(0, 0.2, 0.8, 0.5, colour)
    for x, half in ((-0.3, 0.42), (0.05, 0.47), (0.4, 0.4)):
        pen.line([(x, 0.2 - half), (x, 0.2 + half)], (40, 32, 30), 0.15)
    pen.oval(-0.7, 0.15, 0.25, 0.26, (40, 32, 30))


def leaf(pen: Pen, colour: Colour) -> None:
    """A pair of tea leaves."""
    pen.leaf(0, 0.9, 1.75, -2.05, mix(colour, BLACK, 0.15))
    pen.leaf(0, 0.9, 1.75, -1.1, colour)
    pen.leaf(0, 0.9, 1.3, -1.57, mix(colour, WHITE, 0.25))


def flower(pen: Pen, colour: Colour) -> None:
    """A daisy-like flower."""
    for turn in np.arange(10) * np.pi / 5:
        pen.oval(0.6 * np.cos(turn), 0.6 * np.sin(turn), 0.38, 0.17, colour, float(turn))
    pen.ball(0, 0, 0.32, (248, 196, 60))


def rose(pen: Pen, colour: Colour) -> None:
    """A rose, its petals in rings."""
    pen.leaf(0.4, 0.5, 0.75, 0.4, GREEN)
    pen.leaf(-0.4, 0.5, 0.75, 2.7, DARK_GREEN)
    for ring, (radius, petal) in enumerate(((0.52, 0.4), (0.3, 0.3), (0.08, 0.2))):
        for turn in np.arange(6) * np.pi / 3 + 0.5 * ring:
            tone = mix(colour, BLACK if ring % 2 else WHITE, 0.08 + 0.1 * (turn % 2))
            pen.oval(radius * np.cos(turn), radius * np.sin(turn), petal, petal * 0.85, tone, float(turn))


def lavender(pen: Pen, colour: Colour) -> None:
    """Three stalks of lavender."""
    for x, lean in ((-0.5, -0.25), (0.5, 0.25), (0, 0)):
        pen.line([(0, 1.0), (x + lean, -0.6)], DARK_GREEN, 0.06)
        for step in np.linspace(0, 1, 6):
            px, py = x * (0.45 + 0.55 * step) + lean * step, 0.1 - 0.95 * step
            pen.oval(px - 0.1, py, 0.13, 0.1, colour, 0.5)
            pen.oval(px + 0.1, py, 0.13, 0.1, mix(colour, WHITE, 0.25), -0.5)


def tree(pen: Pen, colour: Colour) -> None:
    """A fir tree."""
    pen.shape([(-0.12, 0.6), (0.12, 0.6), (0.12, 1.0), (-0.12, 1.0)], BROWN)
    for top, half, bottom in ((-0.2, 0.8, 0.7), (-0.6, 0.62, 0.25), (-1.0, 0.45, -0.2)):
        pen.shape([(0, top), (half, bottom), (-half, bottom)], mix(colour, WHITE, 0.1 * (1 - top) - 0.1))


def mountain(pen: Pen, colour: Colour) -> None:
    """Snowy mountains."""
    pen.shape([(-0.1, 0.8), (0.5, -0.45), (1.0, 0.8)], mix(colour, BLACK, 0.25))
    pen.shape([(-1.0, 0.8), (-0.25, -0.85), (0.5, 0.8)], colour)
    pen.shape([(-0.25, -0.85), (0.02, -0.25), (-0.15, -0.38), (-0.28, -0.2), (-0.42, -0.35), (-0.52, -0.25)], WHITE)


def wave(pen: Pen, colour: Colour) -> None:
    """Waves of the sea."""
    x = np.linspace(-1, 1, 30)
    for level, tone in ((-0.35, 0.35), (0.0, 0.15), (0.35, 0.0)):
        crest = np.stack([x, level + 0.18 * np.sin(2 * np.pi * (x + level))], axis=1)
        pen.shape([*crest, (1, 0.85), (-1, 0.85)], mix(colour, WHITE, tone))
    pen.oval(0.5, -0.65, 0.2, 0.2, mix(colour, WHITE, 0.6))


def drop(pen: Pen, colour: Colour) -> None:
    """A drop of water or oil."""
    pen.blob([(0, -1.2), (0.4, -0.2), (0.75, 0.35), (0.45, 0.95), (-0.45, 0.95), (-0.75, 0.35), (-0.4, -0.2)], colour)
    pen.soft(-0.25, 0.35, 0.14, 0.32, mix(colour, WHITE, 0.65), 0.25)


def sun(pen: Pen, colour: Colour) -> None:
    """A sun with rays."""
    pen.shape(star_points((0, 0), 1.0, 0.62, 12), mix(colour, (244, 120, 30), 0.35))
    pen.ball(0, 0, 0.58, colour)


def moon(pen: Pen, colour: Colour) -> None:
    """A crescent moon and stars."""
    outer = [(0.9 * np.cos(a), 0.9 * np.sin(a)) for a in np.linspace(0.9, 5.4, 20)]
    inner = [(0.72 * np.cos(a) + 0.38, 0.72 * np.sin(a) * 0.95) for a in np.linspace(5.0, 1.25, 20)]
    pen.shape(outer + inner, colour)
    for x, y, size in ((0.45, -0.35, 0.26), (0.7, 0.35, 0.18)):
        pen.shape(star_points((x, y), size, size * 0.4, 5), mix(colour, WHITE, 0.4))


def flame(pen: Pen, colour: Colour) -> None:
    """A flame."""
    pen.blob(
        [(0.05, -1.1), (0.35, -0.4), (0.75, -0.1), (0.7, 0.7), (0, 1.0), (-0.7, 0.7), (-0.75, 0.0), (-0.4, -0.3)],
        colour,
    )
    pen.blob([(0.0, -0.4), (0.4, 0.2), (0.35, 0.75), (0, 0.9), (-0.35, 0.75), (-0.35, 0.2)], (252, 196, 60))


def snowflake(pen: Pen, colour: Colour) -> None:
    """A snow crystal."""
    for turn in np.arange(6) * np.pi / 3:
        ahead = np.array((np.cos(turn), np.sin(turn)))
        pen.line(np.array([(0.0, 0.0), ahead]), colour, 0.1)
        for reach in (0.45, 0.72):
            for side in (-0.7, 0.7):
                twig = np.array((np.cos(turn + side), np.sin(turn + side))) * 0.26
                pen.line(np.array([ahead * reach, ahead * reach + twig]), colour, 0.08)


def star(pen: Pen, colour: Colour) -> None:
    """A star."""
    pen.shape(star_points((0, 0.05), 1.0, 0.42, 5), colour)
    pen.shape(star_points((0, 0.05), 0.6, 0.25, 5), mix(colour, WHITE, 0.4), outlined=False)


def bubbles(pen: Pen, colour: Colour) -> None:
    """Soap bubbles."""
    for x, y, radius in ((-0.35, 0.3, 0.6), (0.5, -0.35, 0.45), (0.55, 0.55, 0.28), (-0.4, -0.6, 0.24)):
        pen.ball(x, y, radius, mix(colour, WHITE, 0.35))


def cloud(pen: Pen, colour: Colour) -> None:
    """A cloud."""
    for x, y, radius in ((-0.5, 0.15, 0.42), (0.05, -0.2, 0.55), (0.55, 0.15, 0.4)):
        pen.oval(x, y, radius, radius, mix(colour, WHITE, 0.55))
    pen.shape([(-0.6, 0.1), (0.6, 0.1), (0.6, 0.55), (-0.6, 0.55)], mix(colour, WHITE, 0.55), outlined=False)


def feather(pen: Pen, colour: Colour) -> None:
    """A feather."""
    pen.leaf(-0.6, 0.8, 1.9, -0.9, colour)
    pen.line([(-0.9, 1.0), (0.3, -0.5)], mix(colour, BLACK, 0.4), 0.05)
