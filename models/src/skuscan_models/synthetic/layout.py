"""Where the blocks stand on a front and on a side."""

from collections.abc import Callable

import numpy as np

from skuscan_models.synthetic.canvas import BLACK, WHITE, Colour, Picture, blank, fill, mix, rounded_rectangle, stroke
from skuscan_models.synthetic.details import Box, barcode, nutrition_table, small_print, sticker, write
from skuscan_models.synthetic.elements import Sheet, brand_block, flavour_block, noun_line, picture_block, scatter
from skuscan_models.synthetic.palette import ink_on, readable

_MARGIN = 0.06  # of the width
_TRIES = 12  # places at which a sticker is tried


def lay_out_front(sheet: Sheet, claims: tuple[str, ...]) -> None:
    """Draw every block of a front over its background."""
    rng = sheet.rng
    _ARRANGEMENTS[int(rng.integers(len(_ARRANGEMENTS)))](sheet)
    _contents(sheet)
    for _ in range(int(rng.choice((0, 1, 1, 2)))):
        _claim(sheet, claims[int(rng.integers(len(claims)))])
    _edges(sheet)


def lay_out_side(sheet: Sheet, gtin: str, width: int) -> Picture:
    """A side of the package, (H, width, 3) uint8: nutrition table, small print, barcode."""
    height = sheet.picture.shape[0]
    ground = mix(sheet.colours.ground, BLACK, 0.06)
    side = blank(height, width, ground)
    ink, rng = ink_on(ground), np.random.default_rng(int(gtin))
    margin = width * 0.09
    band = height * 0.2
    fill(side, [(0, 0), (width, 0), (width, band), (0, band)], sheet.colours.brand)
    write(
        side,
        sheet.brand,
        sheet.brand_face,
        (margin, band * 0.25, width - margin, band * 0.75),
        ink_on(sheet.colours.brand),
    )
    write(side, sheet.flavour_words, sheet.text_face, (margin, height * 0.23, width - margin, height * 0.28), ink)
    nutrition_table(rng, side, (margin, height * 0.31, width - margin, height * 0.58), ink)
    small_print(rng, side, (margin, height * 0.61, width - margin, height * 0.82), ink, max(5.0, height * 0.014))
    barcode(side, gtin, (margin, height * 0.84, width - margin, height * 0.96))
    return side


# --- Arrangements ---------------------------------------------------------------------------------------------------


def _brand_over_picture(sheet: Sheet) -> None:
    rng = sheet.rng
    top, tall = rng.uniform(0.05, 0.1), rng.uniform(0.12, 0.2)
    band = rng.uniform(0.74, 0.8)
    picture_block(sheet, sheet.box(0.08, top + tall + 0.06, 0.92, band - 0.01))
    brand_block(sheet, sheet.box(0.1, top, 0.9, top + tall))
    noun_line(sheet, sheet.box(0.15, top + tall + 0.02, 0.85, top + tall + 0.07))
    flavour_block(sheet, sheet.box(0.08, band, 0.92, band + rng.uniform(0.08, 0.12)))


def _picture_over_brand(sheet: Sheet) -> None:
    rng = sheet.rng
    middle, tall = rng.uniform(0.5, 0.56), rng.uniform(0.13, 0.18)
    picture_block(sheet, sheet.box(0.06, 0.05, 0.94, middle - 0.01))
    brand_block(sheet, sheet.box(0.08, middle, 0.92, middle + tall))
    noun_line(sheet, sheet.box(0.2, middle + tall + 0.03, 0.8, middle + tall + 0.075))
    flavour_block(sheet, sheet.box(0.1, middle + tall + 0.1, 0.9, middle + tall + 0.2))


def _brand_in_the_middle(sheet: Sheet) -> None:
    """Pictures above and below the brand's plate."""
    rng = sheet.rng
    middle = rng.uniform(0.4, 0.5)
    picture_block(sheet, sheet.box(0.1, 0.04, 0.9, middle - 0.02))
    flavour = middle + 0.2
    flavour_block(sheet, sheet.box(0.12, flavour, 0.88, flavour + 0.1))
    brand_block(sheet, sheet.box(0.06, middle, 0.94, middle + 0.17))
    picture_block(sheet, sheet.box(0.2, flavour + 0.11, 0.8, 0.93))
    noun_line(sheet, sheet.box(0.25, 0.02, 0.75, 0.06))


def _column(sheet: Sheet) -> None:
    """A coloured column at one side with the flavour, all the rest beside it."""
    rng = sheet.rng
    left = bool(rng.integers(2))
    height, width = sheet.picture.shape[:2]
    edge = rng.uniform(0.24, 0.32)
    x0, x1 = (0.0, edge) if left else (1 - edge, 1.0)
    dark = mix(sheet.colours.flavour, BLACK, rng.uniform(0.0, 0.5))
    fill(sheet.picture, [(x0 * width, 0), (x1 * width, 0), (x1 * width, height), (x0 * width, height)], dark)
    free = (edge + 0.03, 0.97) if left else (0.03, 0.97 - edge)
    picture_block(sheet, sheet.box(free[0], 0.3, free[1], 0.74))
    brand_block(sheet, sheet.box(free[0], 0.06, free[1], rng.uniform(0.2, 0.26)))
    flavour_block(sheet, sheet.box(free[0], 0.76, free[1], 0.86))
    _sideways(sheet, (x0 + 0.04) * width, (x1 - 0.04) * width, dark)


def _card(sheet: Sheet) -> None:
    """Pictograms all over, and a light card in the middle with the words."""
    rng = sheet.rng
    scatter(sheet, int(rng.integers(14, 30)), rng.uniform(0.07, 0.13))
    top, bottom = rng.uniform(0.14, 0.24), rng.uniform(0.66, 0.8)
    left, y0, right, y1 = sheet.box(0.1, top, 0.9, bottom)
    card = rounded_rectangle(left, y0, right, y1, (right - left) * rng.choice((0.02, 0.1, 0.3)))
    fill(
        sheet.picture,
        card,
        (WHITE, mix(sheet.colours.brand, WHITE, 0.85), mix(sheet.colours.brand, BLACK, 0.7))[int(rng.integers(3))],
    )
    stroke(sheet.picture, card, sheet.colours.metal, 4, closed=True)
    third = (bottom - top) / 3
    brand_block(sheet, sheet.box(0.16, top + 0.04, 0.84, top + third + 0.02))
    noun_line(sheet, sheet.box(0.22, top + third + 0.05, 0.78, top + third + 0.1))
    flavour_block(sheet, sheet.box(0.16, bottom - third * 0.9, 0.84, bottom - 0.05))


def _giant(sheet: Sheet) -> None:
    """One picture larger than the front, cut off by its edge."""
    rng = sheet.rng
    height, width = sheet.picture.shape[:2]
    spot = (width * rng.uniform(0.2, 0.8), height * rng.uniform(0.5, 0.75))
    size = width * rng.uniform(0.5, 0.75)
    sheet.pictogram(sheet.flavour.pictogram, spot, size, rng.normal(0, 0.3), sheet.colours.flavour)
    scatter(sheet, int(rng.integers(3, 9)), rng.uniform(0.05, 0.1))
    brand_block(sheet, sheet.box(0.06, 0.05, 0.94, rng.uniform(0.2, 0.27)))
    noun_line(sheet, sheet.box(0.12, 0.285, 0.7, 0.33))
    y = rng.uniform(0.7, 0.8)
    flavour_block(sheet, sheet.box(0.05, y, 0.95, y + 0.12))


def _lower_half(sheet: Sheet) -> None:
    """The upper part in the brand's colour, the lower in the flavour's, a picture on the seam."""
    rng = sheet.rng
    height, width = sheet.picture.shape[:2]
    seam, arch = height * rng.uniform(0.35, 0.5), height * rng.uniform(-0.12, 0.12)
    x = np.linspace(0, width, 30)
    curve = np.stack([x, seam + arch * np.sin(np.pi * x / width)], axis=1)
    fill(sheet.picture, np.concatenate([curve, [(width, 0), (0, 0)]]), sheet.colours.brand)
    stroke(sheet.picture, curve, sheet.colours.metal, height * 0.012)
    picture_block(sheet, sheet.box(0.12, 0.3, 0.88, 0.76))
    brand_block(sheet, sheet.box(0.1, 0.07, 0.9, 0.24))
    flavour_block(sheet, sheet.box(0.1, 0.78, 0.9, 0.88))
    noun_line(sheet, sheet.box(0.25, 0.895, 0.75, 0.935))


_ARRANGEMENTS: tuple[Callable[[Sheet], None], ...] = (
    _brand_over_picture,
    _brand_over_picture,
    _picture_over_brand,
    _brand_in_the_middle,
    _column,
    _card,
    _giant,
    _lower_half,
)


# --- The small things -----------------------------------------------------------------------------------------------


def _sideways(sheet: Sheet, left: float, right: float, ground: Colour) -> None:
    """The product's noun, turned by a quarter, in a column."""
    height = sheet.picture.shape[0]
    strip = blank(max(8, round(right - left)), round(height * 0.7), ground)
    box = (0.0, 0.1 * strip.shape[0], float(strip.shape[1]), 0.9 * strip.shape[0])
    write(strip, sheet.noun, sheet.brand_face, box, readable(sheet.colours.second, ground))
    turned = np.rot90(strip)
    y, x = round(height * 0.12), round(left)
    window = sheet.picture[y : y + turned.shape[0], x : x + turned.shape[1]]
    window[:] = turned[: window.shape[0], : window.shape[1]]


def _contents(sheet: Sheet) -> None:
    """The size in a lower corner, and small print in the other."""
    rng = sheet.rng
    right = bool(rng.integers(2))
    pill = bool(rng.integers(2))
    box = sheet.box(*((0.7, 0.93, 0.95, 0.975) if right else (0.05, 0.93, 0.3, 0.975)))
    sheet.taken.append(box)
    ground = sheet.ground_at(box)
    if pill:
        ground = ink_on(ground)
        fill(sheet.picture, rounded_rectangle(box[0] - 4, box[1] - 3, box[2] + 4, box[3] + 3, 8), ground)
    write(sheet.picture, sheet.size_text, sheet.text_face, box, ink_on(ground))
    other = sheet.box(*((_MARGIN, 0.935, 0.5, 0.975) if right else (0.5, 0.935, 1 - _MARGIN, 0.975)))
    small_print(
        rng,
        sheet.picture,
        other,
        readable(sheet.colours.second, sheet.ground_at(other)),
        max(4.0, (other[3] - other[1]) / 3),
    )


def _claim(sheet: Sheet, claim: str) -> None:
    """A sticker where it covers no words; left out where there is no such place."""
    rng = sheet.rng
    height, width = sheet.picture.shape[:2]
    size = 0.12 * width
    colour = (sheet.colours.second, sheet.colours.metal, (214, 36, 44), WHITE)[int(rng.integers(4))]
    shape = np.random.default_rng(int(rng.integers(1 << 30)))
    for across, down in zip(rng.choice((0.15, 0.85), _TRIES), rng.uniform(0.12, 0.86, _TRIES), strict=True):
        x, y = across * width, down * height
        box = (x - size, y - size, x + size, y + size)
        if not any(_overlap(box, other) for other in sheet.taken):
            sticker(shape, sheet.picture, claim, sheet.text_face, (x, y), size, colour)
            sheet.taken.append(box)
            return


def _overlap(first: Box, second: Box) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _edges(sheet: Sheet) -> None:
    """A frame round the front, or a stripe at its foot, now and then."""
    rng, picture = sheet.rng, sheet.picture
    height, width = picture.shape[:2]
    kind, thick = int(rng.integers(5)), width * rng.uniform(0.01, 0.025)
    if kind == 0:
        inset = thick * 1.5
        frame = [(inset, inset), (width - inset, inset), (width - inset, height - inset), (inset, height - inset)]
        stroke(picture, frame, sheet.colours.metal, thick * 0.6, closed=True)
    elif kind == 1:
        fill(picture, [(0, 0), (width, 0), (width, thick * 1.6), (0, thick * 1.6)], sheet.colours.brand)
