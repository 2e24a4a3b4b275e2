"""The evaluation's sets: the real pictures of `eval/`, which nothing is trained or chosen on.

Produce comes twice: with the catalogue's one picture a kind, and with photos of `train/produce` as references. All 81
grocery classes together are asked with the photos that are here: 879 of packages and 300 of produce, fewer than the
data set's whole test split; packages have one catalogue picture, produce `k` photos.
"""

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.recognition.shops import (
    NEGATIVES,
    NOTHING,
    QUERIES,
    Entry,
    Photo,
    Shop,
    left_out,
    plan_of,
)
from skuscan_models.pictures import find_pictures

PACKAGED, PRODUCE = "packaged", "produce"  # categories of eval/grocery
ONE_DESIGN = {"cheetoz_snack_30g": "cheetoz_snack", "cheetoz_snack_90g": "cheetoz_snack"}  # no crop tells them apart
NOTHINGS = 5_000  # pictures of nothing, drawn and cropped
K_REFERENCES = (1, 8)  # photos of a kind of produce
REFERENCES_SEED = 20_260_101
POOLED = ("apc2015", "arc2017")  # too few photos each


def real_shops(data: Path) -> list[Shop]:
    """Every catalogue with its photos.

    Args:
        data: The folder with `eval` and `train`.
    """
    grocery = data / "eval" / "grocery"
    negatives = tuple(Photo(path, "") for path in find_pictures(data / "eval" / "negatives"))
    packaged = _shop(
        "groceries-packaged", "groceries, packaged", _entries(grocery, PACKAGED), _photos(grocery, PACKAGED)
    )
    nothing = tuple(Photo(number, "") for number in range(NOTHINGS))
    packages = [
        replace(packaged, asked={**packaged.asked, NOTHING: nothing}),
        _simple(data, "shelves", "snack crops of shelves", ONE_DESIGN),
        *(_simple(data, name, name, {}) for name in POOLED),
    ]
    produce = _photos(grocery, PRODUCE)
    kinds = data / "train" / PRODUCE
    others = [
        _shop("produce-catalogue", "produce, one catalogue picture", _entries(grocery, PRODUCE), produce),
        _shop("produce-photos", "produce, 12 photos a kind", _produce(kinds, None), produce),
    ]
    for k in K_REFERENCES:
        entries, title = [*_entries(grocery, PACKAGED), *_produce(kinds, k)], f"81 grocery classes, k = {k}"
        others.append(_shop(f"groceries-81-k{k}", title, entries, (*packaged.asked[QUERIES], *produce)))
    asked = [replace(shop, asked={**shop.asked, NEGATIVES: negatives}) for shop in (*packages, *others)]
    return [*asked, *(fold for shop in packages for fold in left_out(shop))]


def _shop(key: str, title: str, entries: Sequence[Entry], queries: tuple[Photo, ...]) -> Shop:
    return Shop(key, title, plan_of(entries), {QUERIES: queries})


def _simple(data: Path, name: str, title: str, groups: dict[str, str]) -> Shop:
    folder = data / "eval" / name
    entries = [replace(entry, group=groups.get(entry.sku, "")) for entry in _entries(folder)]
    return _shop(name, title, entries, _photos(folder))


def _entries(folder: Path, category: str = "") -> list[Entry]:
    return [Entry(row["sku"], folder / row["image"]) for row in _rows(folder / "catalogue.csv", category)]


def _photos(folder: Path, category: str = "") -> tuple[Photo, ...]:
    return tuple(Photo(folder / row["file"], row["sku"]) for row in _rows(folder / "queries.csv", category))


def _rows(path: Path, category: str) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from (row for row in csv.DictReader(file) if category in ("", row["category"]))


def _produce(kinds: Path, k: int | None) -> list[Entry]:
    """Photos of each kind: a seeded choice of k, or all of them."""
    entries = []
    for kind in sorted(path for path in kinds.iterdir() if path.is_dir()):
        photos = find_pictures(kind)
        random.Random(f"{REFERENCES_SEED} {kind.name}").shuffle(photos)
        entries += [Entry(kind.name, photo) for photo in photos[:k]]
    return entries
