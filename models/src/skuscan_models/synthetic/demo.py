"""Catalogues on disk: the demo's, with its photos and its later change, and larger ones for benchmarks.

    FOLDER/catalogue.csv        sku,name,gtin,group,price,currency,image,brand,flavour,size,kind
    FOLDER/images/<sku>.jpg     the catalogue pictures
    FOLDER/photos.csv           file,sku: hand-held photos; an empty sku: a product that the catalogue does not hold
    FOLDER/photos/NN.jpg
    FOLDER/change/              what happens later, `write_demo` only:
        added.csv               a new product, columns as in catalogue.csv, its picture in change/images/
        withdrawn.csv           sku of a product to take out
        prices.csv              sku,price,currency: a new price
        photos.csv              file,sku: a photo of the new product and one of the withdrawn (empty sku)

Prices are decimal numbers in the currency's major unit; paths are relative to the CSV that names them.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from skuscan.errors import ConfigError
from skuscan_models.synthetic.camera import CameraOptions
from skuscan_models.synthetic.canvas import Picture
from skuscan_models.synthetic.field_view import field_view
from skuscan_models.synthetic.packaging import (
    DEMO_FAMILIES,
    FLAVOURS_OF_A_FAMILY,
    FOREIGN_FAMILIES,
    ProductDesign,
    design,
    draw_front,
    draw_side,
)
from skuscan_models.synthetic.themes import Kind
from skuscan_models.synthetic.view_options import USUAL, FieldViewOptions

DEMO_SEED = 1
DEMO_TAKE = 6  # which photo of each product the demo shows; `python -m tools.demo.takes` counts ten of them
CURRENCY = "EUR"
CATALOGUE_COLUMNS = ("sku", "name", "gtin", "group", "price", "currency", "image", "brand", "flavour", "size", "kind")
PHOTO_COLUMNS = ("file", "sku")
PRICE_COLUMNS = ("sku", "price", "currency")

DEMO_VIEW = replace(  # a customer who tries to be understood: most of the package is in the frame and in focus
    USUAL,
    scale=(0.7, 0.98),
    min_visible=0.92,
    hand=0.4,
    tilt=18.0,
    any_way_up=0.0,
    bend=(0.0, 0.012),
    camera=CameraOptions(
        glare=0.3,
        glare_strength=(0.15, 0.6),
        shade=0.4,
        shade_depth=(0.1, 0.35),
        brightness=(0.82, 1.2),
        motion=0.15,
        motion_length=(2.0, 4.0),
        defocus=(0.0, 0.8),
        noise=(1.0, 5.0),
        jpeg_quality=(70, 93),
    ),
)

_FAMILIES, _FLAVOURS = 8, 8  # near-duplicates in the demo
_SINGLES = 2  # demo products without near-duplicates; the last is the one withdrawn later
_KNOWN_PHOTOS, _FOREIGN_PHOTOS = 20, 4
_PRICE_RISE_MINOR = 30  # the demo's later change of a price
_JPEG_QUALITY = 92
_PHOTO_STREAM = 17  # keeps the photos' choices apart from the packages'

Progress = Callable[[int, int], None]  # done, of all


@dataclass(frozen=True)
class DemoFiles:
    """Where `write_demo` put things; see the module for what they hold."""

    catalogue: Path
    photos: Path
    added: Path
    withdrawn: Path
    prices: Path
    change_photos: Path


def demo_catalogue(seed: int = DEMO_SEED) -> list[ProductDesign]:
    """The demo's products: 8 families of 8 near-duplicates, and 2 products that stand alone."""
    families = _spread_families(seed, DEMO_FAMILIES, _FAMILIES + _SINGLES)
    near = [design(seed, family, variant) for family in families[:_FAMILIES] for variant in range(_FLAVOURS)]
    return near + [design(seed, family, 0) for family in families[_FAMILIES:]]


def benchmark_catalogue(skus: int, seed: int = DEMO_SEED) -> Iterator[ProductDesign]:
    """A catalogue of any size: all flavours of one family after the other.

    Raises:
        ConfigError: More products than the range of families holds.
    """
    limit = len(DEMO_FAMILIES) * FLAVOURS_OF_A_FAMILY
    if not 1 <= skus <= limit:
        raise ConfigError(f"a drawn catalogue has 1 to {limit:,} products", str(skus))
    everything = (design(seed, family, v) for family in DEMO_FAMILIES for v in range(FLAVOURS_OF_A_FAMILY))
    return islice(everything, skus)


def foreign_products(count: int, seed: int = DEMO_SEED) -> list[ProductDesign]:
    """Products of families that no catalogue and no training set holds."""
    return [design(seed, family, 0) for family in _spread_families(seed, FOREIGN_FAMILIES, count)]


def photograph_product(product: ProductDesign, number: int, options: FieldViewOptions = DEMO_VIEW) -> Picture:
    """A hand-held photo of a product, (H, W, 3) uint8; another number, another photo."""
    rng = np.random.default_rng((product.seed, product.family, product.variant, number, _PHOTO_STREAM))
    side = draw_side(product) if product.kind in (Kind.BOX, Kind.CARTON) else None
    return field_view(draw_front(product), rng, options, side)


def demo_photos(seed: int = DEMO_SEED) -> list[tuple[ProductDesign, str]]:
    """What the demo's 24 photos show, and the SKU to answer; "" for a product that the catalogue does not hold."""
    products = demo_catalogue(seed)
    kept = products[:-1]
    known = [(product, product.sku) for product in _photographed(kept)]
    return known + [(product, "") for product in foreign_products(_FOREIGN_PHOTOS, seed)]


def write_demo(folder: Path, seed: int = DEMO_SEED, progress: Progress | None = None) -> DemoFiles:
    """Write the demo: catalogue, 24 photos, and its later change.

    Args:
        folder: Made if it is not there; files in it are replaced.
        seed: Another seed, another demo.
        progress: Called after each picture.
    """
    products = demo_catalogue(seed)
    kept, withdrawn = products[:-1], products[-1]
    added = design(seed, _spread_families(seed, DEMO_FAMILIES, _FAMILIES + _SINGLES + 1)[-1], 0)
    tick = _Ticks(progress, len(products) + _KNOWN_PHOTOS + _FOREIGN_PHOTOS + 3)
    catalogue = _write_products(folder, products, tick)
    photos = _write_photos(folder, demo_photos(seed), tick)
    change = folder / "change"
    raised = kept[0]
    return DemoFiles(
        catalogue=catalogue,
        photos=photos,
        added=_write_products(change, [added], tick, "added.csv"),
        withdrawn=_write_csv(change / "withdrawn.csv", ("sku",), [(withdrawn.sku,)]),
        prices=_write_csv(
            change / "prices.csv",
            PRICE_COLUMNS,
            [(raised.sku, _price(raised.price_minor + _PRICE_RISE_MINOR), CURRENCY)],
        ),
        change_photos=_write_photos(change, [(added, added.sku), (withdrawn, "")], tick),
    )


def write_catalogue(
    folder: Path,
    skus: int,
    seed: int = DEMO_SEED,
    photos: int = 0,
    processes: int = 1,
    progress: Progress | None = None,
) -> Path:
    """Write a catalogue of any size for benchmarks, and photos of its products; returns the path of its CSV.

    Args:
        folder: Made if it is not there; files in it are replaced.
        skus: Number of products, 1 and up.
        seed: Another seed, other products.
        photos: Number of photos, of products spread over the catalogue.
        processes: Processes that draw.
        progress: Called after each picture.

    Raises:
        ConfigError: More products than there are, or a negative number of photos.
    """
    if photos < 0:
        raise ConfigError("a number of photos is 0 or more", str(photos))
    products = list(benchmark_catalogue(skus, seed))
    tick = _Ticks(progress, skus + photos)
    catalogue = _write_products(folder, products, tick, processes=processes)
    if photos:
        chosen = [products[(number * skus) // photos % skus] for number in range(photos)]
        _write_photos(folder, [(product, product.sku) for product in chosen], tick)
    return catalogue


# --- Which ----------------------------------------------------------------------------------------------------------


def _spread_families(seed: int, families: range, count: int) -> list[int]:
    """The first families of a range that look little alike: none has the brand of another, kinds take turns."""
    kinds = list(Kind)
    chosen: list[int] = []
    brands: set[str] = set()
    for family in families:
        product = design(seed, family, 0)
        if product.kind is kinds[len(chosen) % len(kinds)] and product.brand not in brands:
            chosen.append(family)
            brands.add(product.brand)
        if len(chosen) == count:
            break
    return chosen


def _photographed(products: Sequence[ProductDesign]) -> list[ProductDesign]:
    """Products for the demo's photos: all families in turn, another flavour each time."""
    families = list(dict.fromkeys(product.family for product in products))
    of_family = {family: [product for product in products if product.family == family] for family in families}
    turns = range(_KNOWN_PHOTOS)
    return [
        (members := of_family[families[turn % _FAMILIES]])[(3 * (turn // _FAMILIES) + turn) % len(members)]
        for turn in turns
    ]


# --- Files ----------------------------------------------------------------------------------------------------------


class _Ticks:
    """Counts what is done and tells who asked."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._done, self._total = progress, 0, total

    def __call__(self) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total)


def _write_products(
    folder: Path, products: Sequence[ProductDesign], tick: _Ticks, name: str = "catalogue.csv", processes: int = 1
) -> Path:
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    for product, picture in zip(products, _drawn(products, processes), strict=True):
        (images / f"{product.sku}.jpg").write_bytes(picture)
        tick()
    return _write_csv(folder / name, CATALOGUE_COLUMNS, [_row(product) for product in products])


def _drawn(products: Sequence[ProductDesign], processes: int) -> Iterator[bytes]:
    if processes == 1:
        yield from map(_front_jpeg, products)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(_front_jpeg, products, chunksize=32)


def _front_jpeg(product: ProductDesign) -> bytes:
    return encode_jpeg(draw_front(product))


def _write_photos(folder: Path, photos: Iterable[tuple[ProductDesign, str]], tick: _Ticks) -> Path:
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (product, sku) in enumerate(photos, start=1):
        file = f"photos/{number:02d}.jpg"
        (folder / file).write_bytes(encode_jpeg(photograph_product(product, DEMO_TAKE)))
        rows.append((file, sku))
        tick()
    return _write_csv(folder / "photos.csv", PHOTO_COLUMNS, rows)


def _row(product: ProductDesign) -> tuple[str, ...]:
    return (
        product.sku,
        product.name,
        product.gtin,
        product.group,
        _price(product.price_minor),
        CURRENCY,
        f"images/{product.sku}.jpg",
        product.brand,
        product.flavour,
        product.size_text,
        product.kind.value,
    )


def _write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def _price(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def encode_jpeg(picture: Picture) -> bytes:
    """A file's bytes, as the demo writes them."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes()
