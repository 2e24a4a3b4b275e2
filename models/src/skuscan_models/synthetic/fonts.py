"""Lettering: text as masks, in several fonts and several treatments of each.

Two fonts are always there: the one inside Pillow and the one inside OpenCV. What is drawn for others to compare (the
demo) uses only these, so that it looks the same everywhere; training takes the typefaces of its `Materials`, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from skuscan_models.synthetic.canvas import Mask, warp

_OPENCV_FONT = "opencv"
_PILLOW_FONT = "pillow"
_ALWAYS = ((_PILLOW_FONT,), (_OPENCV_FONT,))
_SUPERSAMPLED = 96  # px: height at which OpenCV's letters are drawn before they are scaled


@dataclass(frozen=True)
class Face:
    """A font and its treatment.

    Attributes:
        font: `pillow`, `opencv`, or the path of a font file.
        weight: Stroke added to every letter, share of the height.
        stretch: Width against the font's own.
        slant: Shear to the right, share of the height.
        tracking: Space added between letters, share of the height.
        upper: All letters are capitals.
    """

    font: str
    weight: float = 0.0
    stretch: float = 1.0
    slant: float = 0.0
    tracking: float = 0.0
    upper: bool = False


def any_face(rng: np.random.Generator, typefaces: Sequence[Sequence[str]], strong: bool) -> Face:
    """A face of the two fonts that are always there or of further typefaces, each with the paths of its files.

    `strong` faces are for brands, the others for plain text.
    """
    choices = (*_ALWAYS, *typefaces)
    # One draw whatever the number of fonts, so that more of them change the letters and nothing else.
    number, place = divmod(rng.random() * len(choices), 1)
    files = choices[int(number)]
    return Face(
        font=files[int(place * len(files))],
        weight=float(rng.choice((0.0, 0.03, 0.06, 0.09) if strong else (0.0, 0.0, 0.03, 0.045))),
        stretch=float(rng.choice((0.72, 0.85, 1.0, 1.0, 1.2, 1.4) if strong else (0.8, 0.9, 1.0, 1.0, 1.1))),
        slant=float(rng.choice((0.0, 0.0, 0.0, 0.2, 0.3) if strong else (0.0, 0.0, 0.0, 0.2))),
        tracking=float(rng.choice((-0.02, 0.0, 0.0, 0.08) if strong else (0.0, 0.0, 0.06))),
        upper=bool(rng.random() < (0.55 if strong else 0.35)),
    )


def text_mask(text: str, face: Face, height: float, max_width: float) -> Mask:
    """A line of text, (h, w) uint8, cropped to its ink.

    Args:
        text: What to write.
        face: In which letters.
        height: Height of a capital with its ascender and descender, px.
        max_width: The line is drawn smaller rather than wider than this, px.
    """
    words = text.upper() if face.upper else text
    line = _written(words, face, max(6, round(height)))
    scale = min(1.0, max_width / line.shape[1])
    if scale < 1.0 and line.shape[0] * scale >= 6:
        line = _written(words, face, max(6, int(height * scale)))
    scale = min(1.0, max_width / line.shape[1])
    if scale < 1.0:
        size = (max(1, int(line.shape[1] * scale)), max(1, int(line.shape[0] * scale)))
        line = cv2.resize(line, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return line


@lru_cache(maxsize=4096)
def _written(text: str, face: Face, height: int) -> Mask:
    line = _spaced(text, face, height)
    if face.stretch != 1.0:
        size = (max(1, round(line.shape[1] * face.stretch)), line.shape[0])
        line = cv2.resize(line, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    if face.slant:
        tall, wide = line.shape
        shear = np.array([(1, -face.slant, face.slant * tall), (0, 1, 0), (0, 0, 1)])
        line = warp(np.pad(line, 1), shear, (wide + round(face.slant * tall) + 2, tall + 2))
    left, top, wide, tall = cv2.boundingRect(line)
    cropped: Mask = np.ascontiguousarray(line[top : top + max(1, tall), left : left + max(1, wide)])
    cropped.setflags(write=False)
    return cropped


def _spaced(text: str, face: Face, height: int) -> Mask:
    if not face.tracking:
        return _plain(text, face, height)
    letters = [
        _plain(letter, face, height) if letter != " " else np.zeros((1, height // 4), np.uint8) for letter in text
    ]
    gap = max(1, round((0.08 + face.tracking) * height))
    line = np.zeros(
        (max(letter.shape[0] for letter in letters), sum(letter.shape[1] + gap for letter in letters)), np.uint8
    )
    x = 0
    for letter in letters:
        line[: letter.shape[0], x : x + letter.shape[1]] = letter
        x += letter.shape[1] + gap
    return line


def _plain(text: str, face: Face, height: int) -> Mask:
    """Text on its common line: every letter keeps the full height, so that letters can be put side by side."""
    if face.font == _OPENCV_FONT:
        return _in_opencv(text, face.weight, height)
    font = _font(face.font, height)
    bold = round(face.weight * height)
    left, _, right, _ = font.getbbox(text, stroke_width=bold)
    canvas = Image.new("L", (max(1, int(right - left)) + 2, int(height * 1.35) + 2 * bold))
    ImageDraw.Draw(canvas).text((1 - left, bold), text, fill=255, font=font, stroke_width=bold)
    return np.asarray(canvas).copy()


@lru_cache(maxsize=512)
def _font(source: str, height: int) -> Any:
    return ImageFont.load_default(height) if source == _PILLOW_FONT else ImageFont.truetype(source, height)


def _in_opencv(text: str, weight: float, height: int) -> Mask:
    """OpenCV draws its letters at few sizes and weights: draw large, then shrink."""
    printable = "".join(letter if letter.isascii() else " " for letter in text)
    number = cv2.FONT_HERSHEY_COMPLEX if weight > 0.04 else cv2.FONT_HERSHEY_SIMPLEX
    scale, thickness = _SUPERSAMPLED / 30, 5
    (width, tall), base = cv2.getTextSize(printable, number, scale, thickness)
    canvas = np.zeros((tall + base + 40, width + 60), np.uint8)
    cv2.putText(canvas, printable, (20, tall + 20), number, scale, 255, thickness, cv2.LINE_AA)
    left, _, wide, _ = cv2.boundingRect(canvas)
    line = canvas[:, left : left + max(1, wide)]
    share = height / _SUPERSAMPLED
    size = (max(1, round(line.shape[1] * share)), max(1, round(line.shape[0] * share)))
    return cv2.resize(line, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
