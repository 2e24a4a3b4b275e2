"""Sets to choose on: training pictures that no training has seen, and drawn packaging of families kept for this.

    boxes     held-out package scans; one drawn field view of each
    grozi     held-out products of supermarket video frames: the largest frame is the reference, the others ask
    produce   photos of each kind as references; the held-out ones ask
    drawn     families of near-duplicates; one drawn field view of each product

Views are drawn once and kept in the folder that the caller gives.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.recognition.drawn import Draw, front_picture, kept
from benchmarks.recognition.shops import NEGATIVES, QUERIES, Entry, Photo, Shop, left_out, plan_of
from skuscan.picture import fit_longest_side, load_picture
from skuscan_models.pictures import find_pictures
from skuscan_models.synthetic.field_view import field_view
from skuscan_models.synthetic.packaging import VALIDATION_FAMILIES, design
from skuscan_models.synthetic.view_options import mixed
from skuscan_models.training.sources import VALIDATION_PHOTOS, part_of

SEED = 94
PHOTO_SIDES = (200, 640)  # px, longest side of a drawn photo
FAMILIES, VARIANTS = 40, 5  # of drawn packaging; the first flavours of a family
NEGATIVE_PHOTOS = 300  # drawn scenes without a product
SHELF_CROPS = "shelfcrop_"  # some are one design in two sizes, which nobody tells apart


def train_shops(train: Path, drawn: Path) -> list[Shop]:
    """The four catalogues with their photos, and two of them with products left out.

    Args:
        train: The folder of training pictures.
        drawn: Where drawn pictures are, or are put.
    """
    scenes = tuple(Photo(2 * number, "") for number in range(NEGATIVE_PHOTOS))  # the drawn ones of `foreign.py`
    shops = [_boxes(train, drawn), _grozi(train), _produce(train), _drawn(drawn)]
    shops = [replace(shop, asked={**shop.asked, NEGATIVES: scenes}) for shop in shops]
    return [*shops, *left_out(shops[0]), *left_out(shops[3])]


def _boxes(train: Path, drawn: Path) -> Shop:
    paths = [path for path in find_pictures(train / "boxes") if part_of(path.stem) == "validation"]
    fronts = [path for path in paths if not path.name.startswith(SHELF_CROPS)]
    queries = [
        Photo(_view(drawn, path.stem, number, partial(load_picture, path)), path.stem)
        for number, path in enumerate(fronts)
    ]
    return _shop("boxes", "held-out package scans, drawn views", (Entry(path.stem, path) for path in fronts), queries)


def _grozi(train: Path) -> Shop:
    entries, queries = [], []
    for folder in _folders(train / "grozi120"):
        sku = f"grozi-{folder.name}"
        if part_of(sku) == "validation":
            largest, *others = sorted(find_pictures(folder), key=lambda path: -load_picture(path).size)
            entries.append(Entry(sku, largest))
            queries += [Photo(path, sku) for path in others]
    return _shop("grozi", "held-out video frames", entries, queries)


def _produce(train: Path) -> Shop:
    entries, queries = [], []
    for folder in _folders(train / "produce"):
        photos = find_pictures(folder)
        entries += [Entry(folder.name, path) for path in photos[:-VALIDATION_PHOTOS]]
        queries += [Photo(path, folder.name) for path in photos[-VALIDATION_PHOTOS:]]
    return _shop("produce", "held-out photos of produce", entries, queries)


def _drawn(drawn: Path) -> Shop:
    products = [design(SEED, family, v) for family in VALIDATION_FAMILIES[:FAMILIES] for v in range(VARIANTS)]
    entries = [Entry(product.sku, front_picture(drawn, product)) for product in products]
    queries = [
        Photo(_view(drawn, entry.sku, number, partial(load_picture, entry.picture)), entry.sku)
        for number, entry in enumerate(entries)
    ]
    return _shop("drawn", "drawn families of near-duplicates", entries, queries)


def _view(folder: Path, name: str, number: int, reference: Draw) -> Path:
    """A drawn hand-held photo of a reference picture."""

    def draw() -> np.ndarray:
        rng = np.random.default_rng((SEED, number))
        photo = field_view(reference(), rng, mixed(number))
        return fit_longest_side(photo, int(rng.integers(*PHOTO_SIDES, endpoint=True)))

    return kept(folder / f"view-{number:04d}-{name}.jpg", draw)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


def _shop(key: str, title: str, entries: Iterable[Entry], queries: Iterable[Photo]) -> Shop:
    return Shop(f"train-{key}", title, plan_of(entries), {QUERIES: tuple(queries)})
