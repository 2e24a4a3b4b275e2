"""The blocks of a package's front: the brand, the flavour, the picture.

A brand's blocks look the same on all its variants. They draw the same numbers from the same generator whatever the
variant's words and colours are, so near-duplicates differ only in what they say and show.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from skuscan_models.synthetic.canvas import (
    BLACK,
    WHITE,
    Colour,
    Picture,
    ellipse_points,
    fill,
    mix,
    moved,
    paint_at,
    rounded_rectangle,
    star_points,
    stroke,
)
from skuscan_models.synthetic.details import Box, Rng, write
from skuscan_models.synthetic.fonts import Face, text_mask
from skuscan_models.synthetic.materials import Artwork
from skuscan_models.synthetic.palette import Palette, ink_on, readable
from skuscan_models.synthetic.pen import Pen, Style
from skuscan_models.synthetic.pictograms import draw_pictogram
from skuscan_models.synthetic.themes import Flavour

Spot = tuple[float, float]  # x, y, px


@dataclass(frozen=True)
class Sheet:
    """A front while it is drawn.

    Attributes:
        picture: (H, W, 3) uint8, drawn on in place.
        rng: The brand's generator.
        colours: The variant's palette.
        brand: The brand's name.
        noun: What it is.
        flavour: The variant.
        flavour_words: What the variant is called on this brand's packages.
        extra: The brand's own pictogram.
        size_text: Contents.
        brand_face: Letters of the brand.
        text_face: Letters of everything else.
        style: How pictograms look.
        artwork: Clip art in place of pictograms.
        taken: Boxes of words, which nothing may cover later.
    """

    picture: Picture
    rng: Rng
    colours: Palette
    brand: str
    noun: str
    flavour: Flavour
    flavour_words: str
    extra: str
    size_text: str
    brand_face: Face
    text_face: Face
    style: Style
    artwork: Artwork | None = None
    taken: list[Box] = field(default_factory=list)

    def pictogram(self, name: str, spot: Spot, size: float, turn: float, tint: Colour) -> None:
        """Draw a pictogram, or the brand's clip art for it, in the square of half side `size`, px, round a spot."""
        pen = Pen(self.picture, spot[0], spot[1], size, turn, self.style, tint)
        if self.artwork is None:
            draw_pictogram(pen, name)
        else:
            self.artwork.draw(pen, name)

    def box(self, left: float, top: float, right: float, bottom: float) -> Box:
        """A box given in shares of the front, in px."""
        height, width = self.picture.shape[:2]
        return left * width, top * height, right * width, bottom * height

    def ground_at(self, box: Box) -> Colour:
        """The colour that is under most of a box."""
        height, width = self.picture.shape[:2]
        left, top = max(0, int(box[0])), max(0, int(box[1]))
        right, bottom = min(width, int(box[2]) + 1), min(height, int(box[3]) + 1)
        red, green, blue = (
            np.median(self.picture[top:bottom:4, left:right:4].reshape(-1, 3), axis=0).astype(int).tolist()
        )
        return red, green, blue


# --- The brand ------------------------------------------------------------------------------------------------------


def brand_block(sheet: Sheet, box: Box) -> None:
    """The brand's name on a plate of its own or in letters with an edge, with its mark now and then."""
    sheet.taken.append(box)
    rng, plate, with_mark = sheet.rng, int(sheet.rng.integers(7)), sheet.rng.random() < 0.45
    double = sheet.rng.random() < 0.3
    ground = sheet.ground_at(box)
    if plate < 5:
        ground = _plate(sheet, box, plate)
    left, top, right, bottom = box
    margin_x, margin_y = (right - left) * (0.1 if plate < 5 else 0.02), (bottom - top) * (0.2 if plate < 5 else 0.05)
    inner = (left + margin_x, top + margin_y, right - margin_x, bottom - margin_y)
    if with_mark:
        side = min(inner[3] - inner[1], (inner[2] - inner[0]) * 0.24)
        _mark(sheet, (inner[0] + side / 2, (inner[1] + inner[3]) / 2), side / 2, ground)
        inner = (inner[0] + side * 1.15, inner[1], inner[2], inner[3])
    words = sheet.brand.rsplit(" ", 1) if double and " " in sheet.brand else [sheet.brand]
    tall = (inner[3] - inner[1]) / len(words)
    edge = int(rng.integers(4))
    for number, word in enumerate(words):
        line = (inner[0], inner[1] + number * tall, inner[2], inner[1] + (number + 1) * tall)
        _edged(sheet, word, line, readable(sheet.colours.brand, ground) if plate >= 5 else ink_on(ground), edge, ground)


def _plate(sheet: Sheet, box: Box, plate: int) -> Colour:
    """The ground of the brand's name; returns its colour."""
    left, top, right, bottom = box
    colour, trim = sheet.colours.brand, sheet.colours.metal
    centre, half = ((left + right) / 2, (top + bottom) / 2), ((right - left) / 2, (bottom - top) / 2)
    if plate == 0:
        outline = ellipse_points(centre, half)
    elif plate == 1:
        outline = rounded_rectangle(left, top, right, bottom, (bottom - top) * 0.25)
    elif plate == 2:  # a ribbon with swallow tails
        tail, drop = (right - left) * 0.09, (bottom - top) * 0.22
        for x, way in ((left, 1), (right, -1)):
            back = [
                (x - way * tail, top + drop),
                (x + way * tail, top + drop),
                (x + way * tail, bottom + drop),
                (x - way * tail, bottom + drop),
                (x - way * tail * 0.3, (top + bottom) / 2 + drop),
            ]
            fill(sheet.picture, back, mix(colour, BLACK, 0.35))
        outline = rounded_rectangle(left, top, right, bottom, 2)
    elif plate == 3:  # a band over the full width, aslant
        lean = (bottom - top) * 0.18
        width = sheet.picture.shape[1]
        outline = np.array([(0, top + lean), (width, top - lean), (width, bottom - lean), (0, bottom + lean)])
    else:  # a shield
        shield = [(-1, -0.9), (0, -1.05), (1, -0.9), (0.97, 0.45), (0, 1.1), (-0.97, 0.45)]
        outline = np.array(shield) * half + np.array(centre)
    fill(sheet.picture, outline, colour)
    stroke(sheet.picture, outline, trim, max(2.0, (bottom - top) * 0.05), closed=True)
    return colour


def _edged(sheet: Sheet, text: str, box: Box, colour: Colour, edge: int, ground: Colour) -> None:
    """Letters, flat, with a drop shadow or with an edge of another colour."""
    mask = text_mask(text, sheet.brand_face, (box[3] - box[1]) * 1.15, box[2] - box[0])
    height, width = mask.shape
    x, y = round((box[0] + box[2] - width) / 2), round((box[1] + box[3] - height) / 2)
    offset = max(1, height // 18)
    other = mix(ground, BLACK if edge != 3 else WHITE, 0.55)
    if edge == 1:
        paint_at(sheet.picture, mask, x + offset, y + offset, other, 0.8)
    elif edge >= 2:
        for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1), (1, 1)):
            paint_at(sheet.picture, mask, x + dx * offset, y + dy * offset, other)
    paint_at(sheet.picture, mask, x, y, colour)


def _mark(sheet: Sheet, centre: Spot, radius: float, ground: Colour) -> None:
    """The brand's mark: an initial or a small drawing on a shape."""
    rng, picture = sheet.rng, sheet.picture
    shape, sign, spikes = int(rng.integers(5)), int(rng.integers(4)), int(rng.integers(5, 14))
    colour = readable(sheet.colours.metal, ground)
    if shape == 0:
        fill(picture, ellipse_points(centre, (radius, radius)), colour)
    elif shape == 1:
        fill(picture, star_points(centre, radius, radius * 0.75, spikes), colour)
    elif shape == 2:
        fill(picture, moved([(0, -1), (1, 0), (0, 1), (-1, 0)], *centre, radius), colour)
    elif shape == 3:
        fill(
            picture,
            rounded_rectangle(
                centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius, radius / 3
            ),
            colour,
        )
    else:
        stroke(picture, ellipse_points(centre, (radius * 0.92, radius * 0.92)), colour, radius * 0.14, closed=True)
        colour = ground
    if sign == 0:
        sheet.pictogram(sheet.extra, centre, radius * 0.6, 0.0, sheet.colours.brand)
    elif sign == 1:
        crown = [(-0.6, 0.4), (-0.65, -0.4), (-0.25, 0.0), (0, -0.6), (0.25, 0.0), (0.65, -0.4), (0.6, 0.4)]
        fill(picture, moved(crown, *centre, radius), ink_on(colour))
    else:
        half = radius * 0.62
        box = (centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half)
        write(picture, sheet.brand.split(" ")[-1][:1].upper(), sheet.brand_face, box, ink_on(colour))


# --- The flavour ----------------------------------------------------------------------------------------------------


def flavour_block(sheet: Sheet, box: Box) -> None:
    """The variant's name on a ground in the variant's colour."""
    sheet.taken.append(box)
    left, top, right, bottom = box
    kind, deep = int(sheet.rng.integers(6)), sheet.rng.uniform(0, 0.3)
    picture, width = sheet.picture, sheet.picture.shape[1]
    colour = mix(sheet.colours.flavour, BLACK, deep)
    if sheet.colours.ground == sheet.colours.flavour:
        colour = (WHITE, mix(sheet.colours.flavour, BLACK, 0.55), sheet.colours.brand)[kind % 3]
    if kind == 0:
        fill(picture, [(0, top), (width, top), (width, bottom), (0, bottom)], colour)
    elif kind == 1:
        fill(picture, rounded_rectangle(left, top, right, bottom, (bottom - top) / 2), colour)
    elif kind == 2:
        lean = (bottom - top) * 0.25
        fill(
            picture,
            [
                (left - lean, top + lean),
                (right + lean, top - lean),
                (right + lean, bottom - lean),
                (left - lean, bottom + lean),
            ],
            colour,
        )
    elif kind == 3:
        fill(
            picture,
            [
                (left, top),
                (right, top),
                (right - (bottom - top) * 0.4, (top + bottom) / 2),
                (right, bottom),
                (left, bottom),
            ],
            colour,
        )
    elif kind == 4:
        outline = rounded_rectangle(left, top, right, bottom, (bottom - top) * 0.2)
        fill(picture, outline, colour)
        stroke(picture, outline, sheet.colours.metal, 2.5, closed=True)
    else:
        colour = sheet.ground_at(box)
    pad_x, pad_y = (right - left) * 0.07, (bottom - top) * 0.16
    ink = readable(sheet.colours.flavour, colour) if kind == 5 else ink_on(colour)
    write(
        picture, sheet.flavour_words, sheet.text_face, (left + pad_x, top + pad_y, right - pad_x, bottom - pad_y), ink
    )


def noun_line(sheet: Sheet, box: Box) -> None:
    """What the product is, in plain letters."""
    sheet.taken.append(box)
    ground = sheet.ground_at(box)
    write(sheet.picture, sheet.noun, sheet.text_face, box, readable(sheet.colours.second, ground))


# --- The picture ----------------------------------------------------------------------------------------------------


def picture_block(sheet: Sheet, box: Box) -> None:
    """The variant's pictograms, and the brand's, in one of several groupings."""
    left, top, right, bottom = box
    centre = ((left + right) / 2, (top + bottom) / 2)
    room = min(right - left, bottom - top) / 2
    stage, group = int(sheet.rng.integers(6)), int(sheet.rng.integers(len(_GROUPINGS)))
    _stage(sheet, centre, room, stage)
    _GROUPINGS[group](sheet, centre, room)


def scatter(sheet: Sheet, count: int, size: float) -> None:
    """The variant's pictograms strewn over the whole front."""
    height, width = sheet.picture.shape[:2]
    for number in range(count):
        spot = (sheet.rng.uniform(0, width), sheet.rng.uniform(0, height))
        _draw(sheet, spot, width * size * sheet.rng.uniform(0.7, 1.3), sheet.rng.uniform(-1, 1), number % 4 == 3)


def _stage(sheet: Sheet, centre: Spot, room: float, stage: int) -> None:
    """What the pictograms stand on: nothing, a disc, a burst, a frame."""
    rng, picture, spikes = sheet.rng, sheet.picture, int(sheet.rng.integers(9, 22))
    light = mix(sheet.colours.flavour, WHITE, rng.uniform(0.55, 0.92))
    if stage == 1:
        fill(picture, ellipse_points(centre, (room, room)), light)
        stroke(picture, ellipse_points(centre, (room, room)), sheet.colours.metal, room * 0.05, closed=True)
    elif stage == 2:
        fill(picture, star_points(centre, room * 1.1, room * 0.8, spikes), light)
    elif stage == 3:
        half = room * 0.98
        frame = rounded_rectangle(centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half, room * 0.2)
        fill(picture, frame, light)
        stroke(picture, frame, sheet.colours.metal, room * 0.04, closed=True)
    elif stage == 4:
        under = sheet.ground_at((centre[0] - room, centre[1] - room, centre[0] + room, centre[1] + room))
        for scale, share in ((1.0, 0.25), (0.78, 0.45), (0.55, 0.65)):
            fill(picture, ellipse_points(centre, (room * scale, room * scale)), mix(under, WHITE, share))


def _draw(sheet: Sheet, spot: Spot, size: float, turn: float, second: bool = False) -> None:
    """One of the variant's pictograms, the second where it has one."""
    name = sheet.flavour.second if second and sheet.flavour.second else sheet.flavour.pictogram
    sheet.pictogram(name, spot, size, turn, sheet.colours.flavour)


# --- Groupings: each fills a square round a centre, `room` px to every side ------------------------------------------


def _one(sheet: Sheet, centre: Spot, room: float) -> None:
    _draw(sheet, centre, room * 0.86, sheet.rng.normal(0, 0.15))


def _pair(sheet: Sheet, centre: Spot, room: float) -> None:
    for side in (-1, 1):
        spot = (centre[0] + side * room * 0.4, centre[1] + side * room * 0.12)
        _draw(sheet, spot, room * 0.6, sheet.rng.normal(0, 0.3), side > 0)


def _trio(sheet: Sheet, centre: Spot, room: float) -> None:
    for x, y, second in ((-0.45, -0.2, False), (0.45, -0.25, True), (0.0, 0.3, False)):
        _draw(sheet, (centre[0] + x * room, centre[1] + y * room), room * 0.52, sheet.rng.normal(0, 0.3), second)


def _wreath(sheet: Sheet, centre: Spot, room: float) -> None:
    count = int(sheet.rng.integers(6, 10))
    for number in range(count):
        turn = 2 * np.pi * number / count
        spot = (centre[0] + 0.68 * room * np.cos(turn), centre[1] + 0.68 * room * np.sin(turn))
        _draw(sheet, spot, room * 0.3, turn, number % 3 == 2)
    _draw(sheet, centre, room * 0.44, 0.0)


def _heap(sheet: Sheet, centre: Spot, room: float) -> None:
    rng = sheet.rng
    for _ in range(int(rng.integers(7, 14))):
        x, y = rng.uniform(-0.75, 0.75, 2) * room
        _draw(
            sheet,
            (centre[0] + x, centre[1] + y),
            room * rng.uniform(0.24, 0.42),
            rng.uniform(-1, 1),
            rng.random() < 0.25,
        )


def _with_extra(sheet: Sheet, centre: Spot, room: float) -> None:
    """The brand's own pictogram, and the variant's at its feet."""
    sheet.pictogram(sheet.extra, (centre[0], centre[1] - room * 0.1), room * 0.8, 0.0, sheet.colours.brand)
    for x in (-0.62, 0.62):
        _draw(sheet, (centre[0] + x * room, centre[1] + room * 0.55), room * 0.42, x * 0.4, x > 0)


def _pyramid(sheet: Sheet, centre: Spot, room: float) -> None:
    for number, y in enumerate((-0.35, 0.0, 0.38)):
        for step in range(number + 1):
            x = (step - number / 2) * 0.55
            spot = (centre[0] + x * room, centre[1] + y * room)
            _draw(sheet, spot, room * 0.36, sheet.rng.normal(0, 0.25), step == 1)


_GROUPINGS: tuple[Callable[[Sheet, Spot, float], None], ...] = (
    _one,
    _one,
    _pair,
    _trio,
    _wreath,
    _heap,
    _with_extra,
    _pyramid,
)
