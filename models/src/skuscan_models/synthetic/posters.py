"""Fronts without a grammar: panels, photos, pictures and words of any size, anywhere and any way up.

The arrangements of `layout.py` know where a brand's name stands. Real packaging does not: there are photos to the edge,
words up the side, three typefaces, a collage. Training meets these beside the others; what is drawn for others to
compare has none.

As elsewhere, variants of a brand draw the same numbers and differ in their words, colours and pictures.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from skuscan_models.synthetic.canvas import (
    BLACK,
    WHITE,
    Colour,
    Mask,
    Picture,
    Points,
    ellipse_points,
    fill,
    mix,
    new_mask,
    paint,
    paint_at,
    rounded_rectangle,
    smooth_closed,
    star_points,
    stroke,
    warp,
)
from skuscan_models.synthetic.details import Box, Rng, barcode, small_print, sticker
from skuscan_models.synthetic.elements import Sheet, brand_block, flavour_block
from skuscan_models.synthetic.fonts import any_face, text_mask
from skuscan_models.synthetic.materials import Materials
from skuscan_models.synthetic.palette import from_hsv, readable
from skuscan_models.synthetic.patterns import background

_PHOTO_GROUND = 0.25  # share of the fronts with a photo to the edges
_PHOTO_PANEL = 0.45  # of the panels: a photo; of the rest, the half is patterned
_BLOCK = 0.5  # of brands and flavours: on their plates, as in the other arrangements; the rest in bare letters
_PART = (0.25, 0.9)  # of a photo's shorter side, that is shown
_ALIKE = 0.3  # of the photos: the same on all variants
_TINTED = 0.25  # of the photos: in the shades of one colour
_UPRIGHT, _QUARTER = 0.7, 0.85  # of the words: level; up to here slightly aslant; the rest up or down the side
_ASLANT = 0.2  # radians
_ART_SIZES = (0.05, 0.5)  # half sides against the front's width, even in their logarithm


def lay_out_poster(sheet: Sheet, claims: tuple[str, ...], gtin: str, materials: Materials) -> None:
    """Draw a whole front over its background."""
    poster = _Poster(sheet, materials, sheet.rng)
    rng = sheet.rng
    if rng.random() < _PHOTO_GROUND:
        poster.photo(np.full(sheet.picture.shape[:2], 255, np.uint8))
    for _ in range(int(rng.integers(0, 5))):
        poster.panel()
    for number in range(int(rng.integers(1, 8))):
        poster.art(second=number % 3 == 2)
    poster.words(sheet.noun, (0.03, 0.09), strong=False)
    for word in claims[: int(rng.integers(0, 3))]:
        poster.words(word, (0.02, 0.07), strong=False)
    _brand(poster)
    _flavour(poster)
    for _ in range(int(rng.choice((0, 0, 1, 1, 2)))):
        poster.print_block()
    if rng.random() < 0.3:
        _seal(poster, claims)
    if rng.random() < 0.12:
        barcode(sheet.picture, gtin, poster.box((0.2, 0.45), (0.06, 0.14)))
    poster.words(sheet.size_text, (0.02, 0.05), strong=False)


@dataclass(frozen=True)
class _Poster:
    """A front while it is drawn, with what it is drawn from."""

    sheet: Sheet
    materials: Materials
    rng: Rng

    def box(self, widths: tuple[float, float], heights: tuple[float, float]) -> Box:
        """A box of any such size, in shares of the front, anywhere on it; px."""
        wide, tall = self.rng.uniform(*widths), self.rng.uniform(*heights)
        left, top = self.rng.uniform(0.02, max(0.03, 0.98 - wide)), self.rng.uniform(0.02, max(0.03, 0.98 - tall))
        return self.sheet.box(left, top, left + wide, top + tall)

    def colour(self) -> Colour:
        """One of the variant's colours, or any."""
        colours = self.sheet.colours
        free = from_hsv(self.rng.random(), self.rng.beta(1.2, 1.0), self.rng.beta(1.6, 0.9))
        return (colours.brand, colours.flavour, colours.second, colours.ground, free, free, WHITE, BLACK)[
            int(self.rng.integers(8))
        ]

    def panel(self) -> None:
        """A shape filled with a colour, a pattern or a photo."""
        outline = _OUTLINES[int(self.rng.integers(len(_OUTLINES)))](self)
        picture, kind, colour, other = self.sheet.picture, self.rng.random(), self.colour(), self.colour()
        edge = self.rng.random()
        mask = new_mask(picture)
        fill(mask, outline, 255)
        if kind < _PHOTO_PANEL and self.materials.photos:
            self.photo(mask)
        elif kind < (1 + _PHOTO_PANEL) / 2:
            height, width = picture.shape[:2]
            paint(picture, mask, background(self.rng, height, width, colour, other))
        else:
            paint(picture, mask, colour)
        if edge < 0.3:
            stroke(picture, outline, other, max(2.0, picture.shape[1] * 0.02 * edge / 0.3), closed=True)

    def photo(self, mask: Mask) -> None:
        """A part of a photo that covers the mask; for each flavour another one, or for all the same."""
        part, tinted, tint, flipped = self.rng.uniform(*_PART), self.rng.random(), self.colour(), self.rng.integers(2)
        shift, key, alike = self.rng.random(2), int(self.rng.integers(2**32)), self.rng.random() < _ALIKE
        if not self.materials.photos:
            return
        name = 0 if alike else int.from_bytes(self.sheet.flavour.pictogram.encode(), "little")
        chosen = self.materials.photos[int(np.random.default_rng((key, name)).integers(len(self.materials.photos)))]
        left, top, width, height = cv2.boundingRect(mask)
        if width < 2 or height < 2:
            return
        scale = min(chosen.shape[0] / height, chosen.shape[1] / width) * part
        rows, columns = max(2, int(height * scale)), max(2, int(width * scale))
        y, x = int(shift[0] * (chosen.shape[0] - rows)), int(shift[1] * (chosen.shape[1] - columns))
        shown = np.asarray(cv2.resize(chosen[y : y + rows, x : x + columns], (width, height)), np.uint8)
        if flipped:
            shown = np.ascontiguousarray(shown[:, ::-1])
        if tinted < _TINTED:
            shown = _toned(shown, tint)
        window = np.ascontiguousarray(mask[top : top + height, left : left + width])
        paint(self.sheet.picture[top : top + height, left : left + width], window, shown)

    def art(self, second: bool) -> None:
        """One of the variant's pictures, of any size, anywhere."""
        height, width = self.sheet.picture.shape[:2]
        size = width * float(np.exp(self.rng.uniform(*np.log(_ART_SIZES))))
        spot = self.rng.uniform(0, width), self.rng.uniform(0, height)
        turn = self.rng.normal(0, 0.2) if self.rng.random() < 0.7 else self.rng.uniform(-np.pi, np.pi)
        flavour = self.sheet.flavour
        self.sheet.pictogram(
            flavour.second if second and flavour.second else flavour.pictogram, spot, size, turn, self.colour()
        )

    def words(self, text: str, heights: tuple[float, float], strong: bool) -> None:
        """A line in bare letters, of a height in shares of the front's, level or turned."""
        rng, picture = self.rng, self.sheet.picture
        face = (self.sheet.brand_face if strong else self.sheet.text_face, any_face(rng, self.materials.fonts, strong))[
            int(rng.integers(2))
        ]
        way, lean, up = rng.random(), rng.normal(0, _ASLANT), rng.integers(2)
        turn = 0.0 if way < _UPRIGHT else lean if way < _QUARTER else (np.pi / 2 if up else -np.pi / 2)
        tall, wide, colour = rng.uniform(*heights), rng.uniform(0.4, 0.95), self.colour()
        across, down, edged = rng.random(), rng.random(), rng.random()
        room = picture.shape[0 if abs(turn) > 1 else 1] * wide
        mask = text_mask(text, face, max(7.0, picture.shape[0] * tall), room)
        if turn:
            mask = _turned(mask, turn)
        height, width = mask.shape
        left = round(across * max(0, picture.shape[1] - width))
        top = round(down * max(0, picture.shape[0] - height))
        ground = self.sheet.ground_at((left, top, left + width, top + height))
        offset = max(1, min(mask.shape) // 16)
        if edged < 0.3:
            other = mix(ground, BLACK if edged < 0.2 else WHITE, 0.6)
            for dx, dy in ((-1, -1), (1, 1), (-1, 1), (1, -1)):
                paint_at(picture, mask, left + dx * offset, top + dy * offset, other)
        paint_at(picture, mask, left, top, readable(colour, ground))

    def print_block(self) -> None:
        """Lines of small print."""
        box = self.box((0.15, 0.7), (0.04, 0.25))
        ink = readable(self.colour(), self.sheet.ground_at(box))
        small_print(self.rng, self.sheet.picture, box, ink, self.rng.uniform(4, 9))


def _brand(poster: _Poster) -> None:
    if poster.rng.random() < _BLOCK:
        brand_block(poster.sheet, poster.box((0.4, 0.92), (0.1, 0.24)))
    else:
        for word in poster.sheet.brand.split(" "):
            poster.words(word, (0.08, 0.26), strong=True)


def _flavour(poster: _Poster) -> None:
    if poster.rng.random() < _BLOCK:
        flavour_block(poster.sheet, poster.box((0.4, 0.92), (0.07, 0.14)))
    else:
        poster.words(poster.sheet.flavour_words, (0.05, 0.14), strong=False)


def _seal(poster: _Poster, claims: tuple[str, ...]) -> None:
    height, width = poster.sheet.picture.shape[:2]
    spot = poster.rng.uniform(0.15, 0.85) * width, poster.rng.uniform(0.1, 0.9) * height
    size, colour = width * poster.rng.uniform(0.08, 0.2), poster.colour()
    claim = claims[int(poster.rng.integers(len(claims)))]
    shape = np.random.default_rng(int(poster.rng.integers(1 << 30)))
    sticker(shape, poster.sheet.picture, claim, poster.sheet.text_face, spot, size, colour)


def _toned(photo: Picture, tint: Colour) -> Picture:
    """In shades from black over the tint to white."""
    light = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    levels = np.linspace(0, 2, 256)[:, None]
    dark, pale = np.array(tint) * levels, 255 - (255 - np.array(tint)) * (2 - levels)
    table = np.where(levels < 1, dark, pale).astype(np.uint8)
    return np.ascontiguousarray(table[light])


def _turned(mask: Mask, turn: float) -> Mask:
    """A mask turned by radians, in the box that it then needs."""
    height, width = mask.shape
    cos, sin = np.cos(turn), np.sin(turn)
    wide = int(abs(cos) * width + abs(sin) * height) + 3
    tall = int(abs(sin) * width + abs(cos) * height) + 3
    about = np.array([(cos, -sin, wide / 2), (sin, cos, tall / 2), (0, 0, 1)])
    middle = np.array([(1, 0, -width / 2 - 1), (0, 1, -height / 2 - 1), (0, 0, 1)])
    return warp(np.pad(mask, 1), about @ middle, (wide, tall))


# --- Outlines of panels, px -----------------------------------------------------------------------------------------


def _rectangle(poster: _Poster) -> Points:
    left, top, right, bottom = poster.box((0.2, 0.95), (0.12, 0.7))
    return rounded_rectangle(left, top, right, bottom, (bottom - top) * poster.rng.choice((0, 0, 0.1, 0.5)))


def _band(poster: _Poster) -> Points:
    """From edge to edge, level or aslant."""
    height, width = poster.sheet.picture.shape[:2]
    y, tall = poster.rng.uniform(0, 0.9) * height, poster.rng.uniform(0.06, 0.4) * height
    lean = poster.rng.choice((0, 0, 1)) * poster.rng.normal(0, 0.25) * height
    return np.array([(0, y), (width, y + lean), (width, y + lean + tall), (0, y + tall)])


def _column(poster: _Poster) -> Points:
    height, width = poster.sheet.picture.shape[:2]
    x, wide = poster.rng.uniform(0, 0.8) * width, poster.rng.uniform(0.08, 0.5) * width
    lean = poster.rng.choice((0, 0, 1)) * poster.rng.normal(0, 0.25) * width
    return np.array([(x, 0), (x + wide, 0), (x + wide + lean, height), (x + lean, height)])


def _oval(poster: _Poster) -> Points:
    left, top, right, bottom = poster.box((0.2, 0.9), (0.15, 0.7))
    half = (right - left) / 2, (bottom - top) / 2
    return ellipse_points((left + half[0], top + half[1]), half, poster.rng.choice((0.0, poster.rng.normal(0, 0.4))))


def _star(poster: _Poster) -> Points:
    left, top, right, bottom = poster.box((0.25, 0.8), (0.2, 0.6))
    size, inner = (right - left) / 2, poster.rng.uniform(0.4, 0.9)
    return star_points(((left + right) / 2, (top + bottom) / 2), size, size * inner, int(poster.rng.integers(4, 18)))


def _blob(poster: _Poster) -> Points:
    left, top, right, bottom = poster.box((0.3, 1.1), (0.25, 0.9))
    corners = int(poster.rng.integers(4, 9))
    angles = np.sort(poster.rng.uniform(0, 2 * np.pi, corners))
    reach = poster.rng.uniform(0.4, 1.0, corners)
    half = np.array((right - left, bottom - top)) / 2
    points = np.stack([np.cos(angles), np.sin(angles)], 1) * reach[:, None] * half
    outline = points + np.array(((left + right) / 2, (top + bottom) / 2))
    return smooth_closed(outline) if poster.rng.random() < 0.6 else outline


_OUTLINES: tuple[Callable[[_Poster], Points], ...] = (_rectangle, _rectangle, _band, _column, _oval, _star, _blob)
