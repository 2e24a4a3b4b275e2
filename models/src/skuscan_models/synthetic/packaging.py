"""Drawn retail packaging: a family is one brand's design, its variants are near-duplicates.

`design(seed, family, variant)` says what a product is; `draw_front` draws its catalogue picture, `draw_side` the side
that a photo may show. The same three numbers give the same product and, with the same versions of numpy, OpenCV and
Pillow, the same pixels. Variant v of a family with F flavours has flavour v mod F in size v // F: sizes of one flavour
are one `group`.

Family numbers are cut into ranges, so that nothing leaks from training to what is measured.
"""

from dataclasses import dataclass

import numpy as np

from skuscan.errors import ConfigError
from skuscan_models.synthetic.canvas import Picture
from skuscan_models.synthetic.elements import Sheet
from skuscan_models.synthetic.fonts import any_face
from skuscan_models.synthetic.layout import lay_out_front, lay_out_side
from skuscan_models.synthetic.materials import PLAIN, Materials, choose_artwork
from skuscan_models.synthetic.palette import palette
from skuscan_models.synthetic.patterns import background
from skuscan_models.synthetic.pen import Style
from skuscan_models.synthetic.posters import lay_out_poster
from skuscan_models.synthetic.shapes import front_size, package
from skuscan_models.synthetic.themes import THEMES, Flavour, Kind, Theme
from skuscan_models.synthetic.words import adjective, brand_name

FLAVOURS_OF_A_FAMILY = 12
SIZES_OF_A_FLAVOUR = 4
VARIANTS_OF_A_FAMILY = FLAVOURS_OF_A_FAMILY * SIZES_OF_A_FLAVOUR

TRAIN_FAMILIES = range(0, 1_000_000)  # training and the fit of the decision's coefficients
VALIDATION_FAMILIES = range(1_000_000, 2_000_000)  # choices made while training
DEMO_FAMILIES = range(2_000_000, 3_000_000)  # catalogues of the demo and of benchmarks
FOREIGN_FAMILIES = range(3_000_000, 4_000_000)  # products that no catalogue holds
MAX_FAMILY = 9_999_999  # what a GTIN has room for

_DESIGN, _FONTS, _LOOK, _SHAPE, _ART, _FREE = range(6)  # independent streams of numbers of one family
_GTIN_PREFIX = "29"  # GS1 General Specifications 1.4.2: 20 to 29 are for use inside a company; no real product has one
_POSTER_SHARE = 0.5  # of the families drawn with materials: fronts without a grammar
_SIDE_SHARE = 0.45  # width of a side against the front's


@dataclass(frozen=True)
class ProductDesign:
    """One drawn product.

    Attributes:
        sku: Its key, unique within a seed.
        name: As a shop would list it.
        brand: The family's brand.
        flavour: The variant's flavour.
        size_text: Contents, e.g. `250 g`.
        kind: The shape of its package.
        gtin: EAN-13 with a right check digit, from the range for use inside a company.
        price_minor: Price in the currency's minor units.
        group: The same for sizes of one flavour, which differ in little more than one word.
        seed: What it was drawn from.
        family: Number of the brand's design.
        variant: Number of the near-duplicate.
    """

    sku: str
    name: str
    brand: str
    flavour: str
    size_text: str
    kind: Kind
    gtin: str
    price_minor: int
    group: str
    seed: int
    family: int
    variant: int


def design(seed: int, family: int, variant: int) -> ProductDesign:
    """What a product is.

    Args:
        seed: Of the whole range of products, >= 0.
        family: 0 to 9,999,999; see the ranges of this module.
        variant: 0 to VARIANTS_OF_A_FAMILY - 1.

    Raises:
        ConfigError: A number is outside its range.
    """
    for name, number, limit in (("family", family, MAX_FAMILY), ("variant", variant, VARIANTS_OF_A_FAMILY - 1)):
        if not 0 <= number <= limit:
            raise ConfigError(f"a {name} number is from 0 to {limit:,}", str(number))
    facts = _facts(seed, family)
    flavour = facts.flavours[variant % FLAVOURS_OF_A_FAMILY]
    step = variant // FLAVOURS_OF_A_FAMILY
    words = facts.adjective + flavour.words
    size_text = facts.theme.sizes[step]
    price = round(facts.price_minor * (1 + 0.8 * step) / 10) * 10 + 9
    return ProductDesign(
        sku=f"{_letters(facts.brand)}-{family:07d}-{variant:02d}",
        name=f"{facts.brand} {facts.noun} {words} {size_text}",
        brand=facts.brand,
        flavour=words,
        size_text=size_text,
        kind=facts.kind,
        gtin=_gtin(family, variant),
        price_minor=price,
        group=f"{family:07d}-{variant % FLAVOURS_OF_A_FAMILY:02d}",
        seed=seed,
        family=family,
        variant=variant,
    )


def draw_front(product: ProductDesign, materials: Materials = PLAIN) -> Picture:
    """The catalogue picture: the package on white, (H, W, 3) uint8 RGB, longest side about 500 to 700 px."""
    shape = _stream(product.seed, product.family, _SHAPE)
    sheet = _front_sheet(product, materials, front_size(product.kind, shape))
    return package(product.kind, sheet.picture, shape, sheet.colours.ground, sheet.colours.brand)


def draw_side(product: ProductDesign, materials: Materials = PLAIN) -> Picture:
    """The side of the package that a photo may show, (H, W, 3) uint8 RGB: table, small print, barcode."""
    shape = _stream(product.seed, product.family, _SHAPE)
    size = front_size(product.kind, shape)
    sheet = _front_sheet(product, materials, size)
    return lay_out_side(sheet, product.gtin, round(size[1] * _SIDE_SHARE))


# --- What a family's variants share ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Facts:
    theme: Theme
    kind: Kind
    brand: str
    noun: str
    adjective: str
    extra: str
    flavours: tuple[Flavour, ...]
    price_minor: int


def _facts(seed: int, family: int) -> _Facts:
    rng = _stream(seed, family, _DESIGN)
    theme = THEMES[int(rng.integers(len(THEMES)))]
    chosen = rng.permutation(len(theme.flavours))[:FLAVOURS_OF_A_FAMILY]
    return _Facts(
        theme=theme,
        kind=theme.kinds[int(rng.integers(len(theme.kinds)))],
        brand=brand_name(rng),
        noun=theme.nouns[int(rng.integers(len(theme.nouns)))],
        adjective=adjective(rng),
        extra=theme.extras[int(rng.integers(len(theme.extras)))],
        flavours=tuple(theme.flavours[int(number)] for number in chosen),
        price_minor=int(rng.integers(*theme.price_minor)),
    )


def _front_sheet(product: ProductDesign, materials: Materials, size: tuple[int, int]) -> Sheet:
    """The flat front, drawn."""
    facts = _facts(product.seed, product.family)
    flavour = facts.flavours[product.variant % FLAVOURS_OF_A_FAMILY]
    letters, look = _stream(product.seed, product.family, _FONTS), _stream(product.seed, product.family, _LOOK)
    colours = palette(look, flavour.colour)
    sheet = Sheet(
        picture=background(look, *size, colours.ground, colours.second),
        rng=look,
        colours=colours,
        brand=product.brand,
        noun=facts.noun,
        flavour=flavour,
        flavour_words=product.flavour,
        extra=facts.extra,
        size_text=product.size_text,
        brand_face=any_face(letters, materials.fonts, strong=True),
        text_face=any_face(letters, materials.fonts, strong=False),
        style=(Style.SHADED, Style.SHADED, Style.SHADED, Style.FLAT, Style.OUTLINED, Style.ONE_COLOUR)[
            int(look.integers(6))
        ],
        artwork=choose_artwork(_stream(product.seed, product.family, _ART), materials),
    )
    if materials.art and _stream(product.seed, product.family, _FREE).random() < _POSTER_SHARE:
        lay_out_poster(sheet, facts.theme.claims, product.gtin, materials)
    else:
        lay_out_front(sheet, facts.theme.claims)
    return sheet


def _stream(seed: int, family: int, stream: int) -> np.random.Generator:
    return np.random.default_rng((seed, family, stream))


def _letters(brand: str) -> str:
    """Four letters of a brand's longest word."""
    word = max(brand.split(), key=len)
    return "".join(letter for letter in word.upper() if letter.isalpha())[:4]


def _gtin(family: int, variant: int) -> str:
    body = f"{_GTIN_PREFIX}{family:07d}{variant:03d}"
    # GS1 General Specifications 7.9: weights 1 and 3 from the left of the 12 digits.
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return body + str(-total % 10)
