"""What makes a package look printed: barcode, nutrition table, small print, stickers."""

import cv2
import numpy as np

from skuscan_models.synthetic.canvas import (
    WHITE,
    Colour,
    Picture,
    ellipse_points,
    fill,
    moved,
    paint_at,
    rounded_rectangle,
    star_points,
    stroke,
)
from skuscan_models.synthetic.fonts import Face, text_mask
from skuscan_models.synthetic.palette import INK, ink_on
from skuscan_models.synthetic.words import SMALL_PRINT

Rng = np.random.Generator
Box = tuple[float, float, float, float]  # left, top, right, bottom, px

_PRINT = Face("pillow")
# EAN-13, GS1 General Specifications 5.2.1: modules of the left odd, left even and right digits.
_LEFT = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011")
_QUIET_MODULES = 9  # white before and after the bars; the standard asks for 11 and 7
_PARITY = ("LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG", "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL")


def write(picture: Picture, text: str, face: Face, box: Box, colour: Colour, align: float = 0.5) -> Box:
    """Write a line as large as a box allows; `align` 0 puts it left, 1 right. Returns the box that the ink takes."""
    left, top, right, bottom = box
    mask = text_mask(text, face, (bottom - top) * 1.15, right - left)
    height, width = mask.shape
    x, y = left + (right - left - width) * align, (top + bottom - height) / 2
    paint_at(picture, mask, round(x), round(y), colour)
    return x, y, x + width, y + height


def barcode(picture: Picture, gtin: str, box: Box) -> None:
    """An EAN-13 symbol with its quiet zone."""
    left, top, right, bottom = box
    fill(picture, [(left, top), (right, top), (right, bottom), (left, bottom)], WHITE)
    right_digits = [code.translate(str.maketrans("01", "10")) for code in _LEFT]
    halves = ["101"]
    for digit, parity in zip(gtin[1:7], _PARITY[int(gtin[0])], strict=True):
        # A G code is the mirrored right code.
        halves.append(_LEFT[int(digit)] if parity == "L" else right_digits[int(digit)][::-1])
    halves += ["01010", *(right_digits[int(digit)] for digit in gtin[7:]), "101"]
    modules = "".join(halves)
    row = np.array([[255 if module == "1" else 0 for module in modules]], np.uint8)
    quiet = (right - left) * _QUIET_MODULES / (len(modules) + 2 * _QUIET_MODULES)
    bars = cv2.resize(row, (round(right - left - 2 * quiet), round(bottom - top) - 14), interpolation=cv2.INTER_NEAREST)
    paint_at(picture, bars.astype(np.uint8, copy=False), round(left + quiet), round(top) + 4, INK)
    write(picture, gtin, _PRINT, (left, bottom - 10, right, bottom), INK)


def nutrition_table(rng: Rng, picture: Picture, box: Box, ink: Colour) -> None:
    """A table of nutrition facts with numbers."""
    left, top, right, bottom = box
    stroke(picture, [(left, top), (right, top), (right, bottom), (left, bottom)], ink, 1.5, closed=True)
    rows = ("Energy", "Fat", "Carbohydrate", "Sugars", "Fibre", "Protein", "Salt")
    tall = (bottom - top) / (len(rows) + 1)
    write(picture, "NUTRITION per 100 g", _PRINT, (left + 3, top + 1, right - 3, top + tall - 1), ink)
    for number, row in enumerate(rows):
        y = top + tall * (number + 1)
        stroke(picture, [(left, y), (right, y)], ink, 1)
        write(picture, row, _PRINT, (left + 4, y + 2, left + (right - left) * 0.6, y + tall - 2), ink, 0)
        amount = f"{rng.integers(0, 600) / 10:.1f} g" if number else f"{rng.integers(40, 2200)} kJ"
        write(picture, amount, _PRINT, (left + (right - left) * 0.6, y + 2, right - 4, y + tall - 2), ink, 1)


def small_print(rng: Rng, picture: Picture, box: Box, ink: Colour, pitch: float) -> None:
    """Lines of small print: a heading that can be read, then lines that cannot."""
    left, top, right, bottom = box
    heading = SMALL_PRINT[int(rng.integers(len(SMALL_PRINT)))]
    write(picture, heading, _PRINT, (left, top, right, top + pitch), ink, 0)
    for y in np.arange(top + 2 * pitch, bottom, pitch):
        x, end = left, left + (right - left) * rng.uniform(0.6, 1.0)
        while x < end:
            word = rng.uniform(1.0, 4.5) * pitch * 0.6
            stroke(picture, [(x, y), (min(x + word, end), y)], ink, max(1.0, pitch * 0.28))
            x += word + pitch * 0.5


def sticker(
    rng: Rng, picture: Picture, text: str, face: Face, centre: tuple[float, float], size: float, colour: Colour
) -> None:
    """A burst, a roundel, a flag or a seal with a few words on it."""
    shape, spikes = int(rng.integers(4)), int(rng.integers(10, 22))
    ink = ink_on(colour)
    if shape == 0:
        fill(picture, star_points(centre, size, size * 0.84, spikes), colour)
    elif shape == 1:
        fill(picture, ellipse_points(centre, (size, size)), colour)
        stroke(picture, ellipse_points(centre, (size * 0.88, size * 0.88)), ink, size * 0.04, closed=True)
    elif shape == 2:
        flag = [(-1.0, -0.45), (1.0, -0.45), (0.82, 0), (1.0, 0.45), (-1.0, 0.45), (-0.82, 0)]
        fill(picture, moved(flag, *centre, size), colour)
    else:
        x, y = centre
        fill(picture, rounded_rectangle(x - size, y - size * 0.5, x + size, y + size * 0.5, size * 0.5), colour)
    lines = text.split(" ", 1)
    tall = size * (0.36 if len(lines) == 2 else 0.42)
    for number, line in enumerate(lines):
        middle = centre[1] + (number - (len(lines) - 1) / 2) * tall * 1.1
        write(
            picture,
            line,
            face,
            (centre[0] - size * 0.7, middle - tall / 2, centre[0] + size * 0.7, middle + tall / 2),
            ink,
        )
