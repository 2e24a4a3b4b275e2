"""10,000 more products in the gallery, which no photo shows: held-out package scans, and drawn families.

The families are those that neither training nor validation draws (`FOREIGN_FAMILIES`), four near-duplicates of each.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from benchmarks.recognition.drawn import front_path
from benchmarks.recognition.shops import NEGATIVES, QUERIES, Entry, Shop, plan_of
from skuscan_models.pictures import find_pictures
from skuscan_models.synthetic.packaging import FOREIGN_FAMILIES, ProductDesign, design
from skuscan_models.training.sources import part_of
from skuscan_server.catalogue.plan import ImportPlan

SEED = 95
VARIANTS = 4  # of each drawn family
PREFIX = "distractor-"  # of their SKUs


def drawn_distractors(count: int) -> list[ProductDesign]:
    """The drawn ones."""
    everything = (design(SEED, family, variant) for family in FOREIGN_FAMILIES for variant in range(VARIANTS))
    return list(islice(everything, count))


def scanned_distractors(train: Path) -> list[Path]:
    """The package scans that training leaves out."""
    return [path for path in find_pictures(train / "boxes") if part_of(path.stem) == "validation"]


def with_distractors(shop: Shop, scans: list[Path], drawn: list[ProductDesign], folder: Path) -> Shop:
    """The shop with more products, asked what it is asked by itself."""
    more = plan_of(_entries(scans, drawn, folder))
    plan = ImportPlan(shop.plan.products | more.products, shop.plan.pictures | more.pictures)
    asked = {kind: shop.asked[kind] for kind in (QUERIES, NEGATIVES)}
    title = f"{shop.title}, {len(more.products):,} distractors"
    return Shop(f"{shop.key}-distractors", title, plan, asked, beside=shop.key)


def _entries(scans: list[Path], drawn: list[ProductDesign], folder: Path) -> Iterator[Entry]:
    yield from (Entry(f"{PREFIX}{path.stem}", path) for path in scans)
    yield from (Entry(f"{PREFIX}{product.sku}", front_path(folder, product)) for product in drawn)
