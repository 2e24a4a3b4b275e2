"""What is evaluated: a shop is a catalogue with the pictures that it is asked about."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from skuscan_server.catalogue.plan import ImportPlan, PictureSource
from skuscan_server.catalogue.values import ProductData
from skuscan_server.evaluation.run import groups_of

QUERIES = "queries"  # photos of the catalogue's products
NEGATIVES = "negatives"  # photos of anything else
NOTHING = "nothing"  # drawn scenes, and crops of training pictures
LEFT_OUT = "left-out"  # photos of products that were taken out of the catalogue
FOLDS = 5  # of the left-out products
FOLD_SEED = 20_260_101
LIMIT_SEED = 20_260_101  # of --limit: the same sample at every run


@dataclass(frozen=True)
class Photo:
    """A picture to ask about.

    Attributes:
        source: Its file, or the number of a picture of nothing that is made when its turn comes (`foreign.py`).
        sku: What it shows; "" for nothing of the catalogue.
    """

    source: Path | int
    sku: str


@dataclass(frozen=True)
class Shop:
    """A catalogue and who asks it.

    Attributes:
        key: In results and file names.
        title: For people.
        plan: The catalogue.
        asked: Photos by what they are: QUERIES of its products, or one of the kinds that nothing of it is shown in.
        beside: The key of a shop that it is compared with, photo by photo; "": of none.
    """

    key: str
    title: str
    plan: ImportPlan
    asked: Mapping[str, tuple[Photo, ...]]
    beside: str = ""


@dataclass(frozen=True)
class Entry:
    """A reference picture of a catalogue."""

    sku: str
    picture: Path
    group: str = ""


def plan_of(entries: Iterable[Entry]) -> ImportPlan:
    """The import of a catalogue; several entries of one SKU are its references."""
    plan = ImportPlan()
    for entry in entries:
        plan.products[entry.sku] = ProductData(entry.sku, entry.sku, "", entry.group, {})
        plan.pictures.setdefault(entry.sku, []).append(PictureSource(entry.picture, str(entry.picture)))
    return plan


def left_out(shop: Shop) -> list[Shop]:
    """The shop with a fifth of its products taken out at a time, asked about those: nothing that it has.

    Products of one group go together.
    """
    groups = groups_of(shop.plan)
    answers = sorted({groups.get(sku, sku) for sku in shop.plan.products})
    random.Random(FOLD_SEED).shuffle(answers)
    folds = []
    for fold in range(FOLDS):
        out = {sku for sku in shop.plan.products if groups.get(sku, sku) in answers[fold::FOLDS]}
        plan = ImportPlan(
            {sku: product for sku, product in shop.plan.products.items() if sku not in out},
            {sku: pictures for sku, pictures in shop.plan.pictures.items() if sku not in out},
        )
        asked = tuple(replace(photo, sku="") for photo in shop.asked[QUERIES] if photo.sku in out)
        folds.append(Shop(f"{shop.key}-{LEFT_OUT}-{fold}", f"{shop.title}, left out", plan, {LEFT_OUT: asked}))
    return folds


def limited(shop: Shop, count: int) -> Shop:
    """The shop with seeded samples of so many photos of each kind."""
    return replace(shop, asked={kind: _sample(photos, count) for kind, photos in shop.asked.items()})


def _sample(photos: Sequence[Photo], count: int) -> tuple[Photo, ...]:
    return tuple(random.Random(LIMIT_SEED).sample(photos, count)) if count < len(photos) else tuple(photos)
