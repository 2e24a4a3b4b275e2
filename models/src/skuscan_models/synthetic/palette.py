"""Colours that go together."""

import colorsys
from dataclasses import dataclass

import numpy as np

from skuscan_models.synthetic.canvas import WHITE, Colour, mix

INK: Colour = (34, 28, 34)
CREAM: Colour = (252, 246, 230)
GOLD: Colour = (206, 164, 72)
SILVER: Colour = (196, 200, 206)
_DARK_GROUND: Colour = (30, 28, 36)
_LIGHT_FROM = 150.0  # brightness (BT.601) from which a ground counts as light


@dataclass(frozen=True)
class Palette:
    """A package's colours.

    Attributes:
        ground: Most of the package.
        second: What the ground's pattern and panels are made of.
        brand: The brand's own colour, the same on all its variants.
        flavour: The variant's colour.
        metal: Gold, silver or another colour of lines and frames.
    """

    ground: Colour
    second: Colour
    brand: Colour
    flavour: Colour
    metal: Colour


def palette(rng: np.random.Generator, flavour: Colour) -> Palette:
    """A brand's palette with a variant's colour in it; draws the same numbers whatever the flavour."""
    hue, role = rng.random(), rng.random()
    brand = from_hsv(hue, rng.uniform(0.55, 0.95), rng.uniform(0.35, 0.95))
    second = from_hsv(hue + rng.choice((0.08, 0.33, 0.5, 0.58, 0.92)), rng.uniform(0.4, 0.9), rng.uniform(0.5, 1.0))
    metal = (GOLD, SILVER, WHITE, second)[int(rng.integers(4))]
    pale = (WHITE, CREAM, _DARK_GROUND, mix(brand, WHITE, 0.85))[int(rng.integers(4))]
    if role < 0.4:  # the flavour's colour is the ground
        return Palette(flavour, mix(flavour, WHITE, 0.45), brand, flavour, metal)
    if role < 0.7:  # the brand's colour is the ground
        return Palette(brand, second, from_hsv(hue + 0.5, 0.7, 0.95), flavour, metal)
    return Palette(pale, flavour, brand, flavour, metal)


def from_hsv(hue: float, saturation: float, value: float) -> Colour:
    """A colour from hue (turns), saturation and value (0..1)."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def brightness(colour: Colour) -> float:
    """How bright a colour looks, 0..255 (ITU-R BT.601)."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def ink_on(ground: Colour) -> Colour:
    """Black or white, whichever reads better on a ground."""
    return INK if brightness(ground) > _LIGHT_FROM else WHITE


def readable(colour: Colour, ground: Colour) -> Colour:
    """The colour, moved towards black or white until it stands out from the ground."""
    for step in (0.0, 0.35, 0.6, 1.0):
        candidate = mix(colour, ink_on(ground), step)
        if abs(brightness(candidate) - brightness(ground)) > 90:
            return candidate
    return ink_on(ground)
