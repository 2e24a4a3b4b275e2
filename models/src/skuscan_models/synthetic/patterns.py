"""Backgrounds of packages: stripes, dots, rays, waves and the like, drawn over one colour."""

from collections.abc import Callable

import numpy as np

from skuscan_models.synthetic.canvas import (
    BLACK,
    WHITE,
    Colour,
    Picture,
    ellipse_points,
    fill,
    gradient,
    mix,
    star_points,
    stroke,
)

Rng = np.random.Generator


def background(rng: Rng, height: int, width: int, ground: Colour, second: Colour) -> Picture:
    """A ground with one or two patterns, (height, width, 3) uint8; draws the same numbers whatever the colours."""
    depth, faint = rng.uniform(0.0, 0.4), rng.uniform(0.12, 0.8)
    towards = (BLACK, WHITE, second)[int(rng.integers(3))]
    picture = gradient(height, width, ground, mix(ground, towards, depth), bool(rng.integers(2)))
    _PATTERNS[int(rng.integers(len(_PATTERNS)))](rng, picture, mix(ground, second, faint))
    if rng.random() < 0.35:
        _PATTERNS[int(rng.integers(len(_PATTERNS)))](rng, picture, mix(ground, WHITE, faint / 2))
    return picture


def _none(rng: Rng, picture: Picture, colour: Colour) -> None:
    """The plain ground."""


def _stripes(rng: Rng, picture: Picture, colour: Colour) -> None:
    height, width = picture.shape[:2]
    pitch, share = width * rng.uniform(0.04, 0.2), rng.uniform(0.25, 0.6)
    lean = float(rng.choice((0.0, 0.0, 0.5, -0.5, 1.0))) * height
    for x in np.arange(-height, width + height, pitch):
        fill(picture, [(x, 0), (x + pitch * share, 0), (x + pitch * share + lean, height), (x + lean, height)], colour)


def _bands(rng: Rng, picture: Picture, colour: Colour) -> None:
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(2, 6))):
        y, tall = rng.uniform(0, height), height * rng.uniform(0.01, 0.12)
        tilt = rng.normal(0, 0.05) * height
        fill(picture, [(0, y), (width, y + tilt), (width, y + tilt + tall), (0, y + tall)], colour)


def _dots(rng: Rng, picture: Picture, colour: Colour) -> None:
    height, width = picture.shape[:2]
    pitch = width * rng.uniform(0.06, 0.18)
    radius = pitch * rng.uniform(0.12, 0.38)
    for row, y in enumerate(np.arange(0, height + pitch, pitch)):
        for x in np.arange(pitch / 2 * (row % 2), width + pitch, pitch):
            fill(picture, ellipse_points((x, y), (radius, radius), count=16), colour)


def _checks(rng: Rng, picture: Picture, colour: Colour) -> None:
    height, width = picture.shape[:2]
    side = width * rng.uniform(0.05, 0.16)
    diamond = bool(rng.integers(2))
    for row, y in enumerate(np.arange(0, height + side, side)):
        for x in np.arange(side * (row % 2), width + side, 2 * side):
            if diamond:
                fill(picture, star_points((x, y), side, side, 2), colour)
            else:
                fill(picture, [(x, y), (x + side, y), (x + side, y + side), (x, y + side)], colour)


def _rays(rng: Rng, picture: Picture, colour: Colour) -> None:
    height, width = picture.shape[:2]
    centre = np.array((width * rng.uniform(0.2, 0.8), height * rng.uniform(0.1, 0.9)))
    count, turn = int(rng.integers(9, 28)), rng.uniform(0, np.pi)
    for number in range(count):
        angles = turn + 2 * np.pi / count * (number + np.array((0, 0.5)))
        reach = 2.0 * max(height, width)
        ends = centre + reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        fill(picture, [centre, *ends], colour)


def _waves(rng: Rng, picture: Picture, colour: Colour) -> None:
    height, width = picture.shape[:2]
    x = np.linspace(0, width, 40)
    length, tall = width * rng.uniform(0.2, 1.2), height * rng.uniform(0.01, 0.06)
    pitch = height * rng.uniform(0.08, 0.3)
    for y in np.arange(-pitch, height + pitch, pitch):
        crest = y + tall * np.sin(2 * np.pi * x / length + y)
        foot = crest[::-1] + pitch * 0.45
        fill(picture, np.concatenate([np.stack([x, crest], 1), np.stack([x[::-1], foot], 1)]), colour)


def _swoosh(rng: Rng, picture: Picture, colour: Colour) -> None:
    """One large curve that cuts the front in two."""
    height, width = picture.shape[:2]
    level, tall, turn = height * rng.uniform(0.25, 0.75), height * rng.uniform(0.05, 0.25), rng.uniform(0, 2 * np.pi)
    lower = bool(rng.integers(2))
    x = np.linspace(0, width, 40)
    edge = level + tall * np.sin(np.pi * x / width * rng.uniform(0.8, 2.2) + turn)
    far = height if lower else 0.0
    outline = np.concatenate([np.stack([x, edge], 1), [(width, far), (0.0, far)]])
    fill(picture, outline, colour)
    stroke(picture, np.stack([x, edge], 1), mix(colour, WHITE, 0.6), width * 0.012)


def _rings(rng: Rng, picture: Picture, colour: Colour) -> None:
    height, width = picture.shape[:2]
    centre = (width * rng.uniform(0, 1), height * rng.uniform(0, 1))
    pitch = width * rng.uniform(0.05, 0.16)
    for radius in np.arange(pitch, 1.5 * max(height, width), pitch):
        stroke(picture, ellipse_points(centre, (radius, radius), count=70), colour, pitch * 0.4, closed=True)


def _confetti(rng: Rng, picture: Picture, colour: Colour) -> None:
    height, width = picture.shape[:2]
    spikes = int(rng.integers(2, 7))
    for _ in range(int(rng.integers(25, 90))):
        x, y, size = rng.uniform(0, width), rng.uniform(0, height), width * rng.uniform(0.008, 0.035)
        fill(picture, star_points((x, y), size, size * 0.45, spikes), mix(colour, WHITE, rng.uniform(0, 0.6)))


def _triangles(rng: Rng, picture: Picture, colour: Colour) -> None:
    """A low-polygon mosaic."""
    height, width = picture.shape[:2]
    side = width * rng.uniform(0.14, 0.3)
    columns, rows = int(width / side) + 2, int(height / side) + 2
    for row in range(rows):
        for column in range(columns):
            x, y = (column - 0.5 * (row % 2)) * side, row * side
            for corners in (
                [(x, y), (x + side, y), (x + side / 2, y + side)],
                [(x + side, y), (x + 1.5 * side, y + side), (x + side / 2, y + side)],
            ):
                tone = rng.random()
                if tone < 0.6:
                    fill(picture, corners, mix(colour, WHITE if tone < 0.3 else BLACK, 0.5 * tone))


def _hills(rng: Rng, picture: Picture, colour: Colour) -> None:
    """Fields under a sky."""
    height, width = picture.shape[:2]
    x = np.linspace(0, width, 30)
    for step in range(int(rng.integers(2, 5))):
        level = height * (0.5 + 0.13 * step + rng.uniform(0, 0.06))
        crest = level + height * 0.06 * np.sin(2 * np.pi * x / (width * rng.uniform(0.7, 1.6)) + rng.uniform(0, 6))
        outline = np.concatenate([np.stack([x, crest], 1), [(width, height), (0, height)]])
        fill(picture, outline, mix(colour, BLACK, 0.1 * step))


def _split(rng: Rng, picture: Picture, colour: Colour) -> None:
    """The front in two parts."""
    height, width = picture.shape[:2]
    first, last = rng.uniform(0.25, 0.75, 2)
    if rng.random() < 0.5:
        fill(picture, [(0, height * first), (width, height * last), (width, height), (0, height)], colour)
    else:
        fill(picture, [(width * first, 0), (width, 0), (width, height), (width * last, height)], colour)


def _chevrons(rng: Rng, picture: Picture, colour: Colour) -> None:
    height, width = picture.shape[:2]
    pitch, points = height * rng.uniform(0.07, 0.2), int(rng.integers(1, 5))
    x = np.linspace(0, width, 2 * points + 1)
    for y in np.arange(-2 * pitch, height + pitch, pitch):
        line = y + pitch * (np.arange(len(x)) % 2)
        foot = line[::-1] + pitch * 0.4
        fill(picture, np.concatenate([np.stack([x, line], 1), np.stack([x[::-1], foot], 1)]), colour)


def _grid(rng: Rng, picture: Picture, colour: Colour) -> None:
    height, width = picture.shape[:2]
    pitch, thick = width * rng.uniform(0.06, 0.16), width * rng.uniform(0.004, 0.02)
    for x in np.arange(pitch / 2, width, pitch):
        stroke(picture, [(x, 0), (x, height)], colour, thick)
    for y in np.arange(pitch / 2, height, pitch):
        stroke(picture, [(0, y), (width, y)], colour, thick)


_PATTERNS: tuple[Callable[[Rng, Picture, Colour], None], ...] = (
    _none,
    _none,
    _stripes,
    _bands,
    _dots,
    _checks,
    _rays,
    _waves,
    _swoosh,
    _swoosh,
    _rings,
    _confetti,
    _triangles,
    _hills,
    _split,
    _chevrons,
    _grid,
)
