"""The catalogues of an evaluation, and what is taken out of them."""

from pathlib import Path

from benchmarks.recognition.distractor_sets import drawn_distractors, with_distractors
from benchmarks.recognition.real_sets import real_shops
from benchmarks.recognition.shops import (
    FOLDS,
    LEFT_OUT,
    NEGATIVES,
    QUERIES,
    Entry,
    Photo,
    Shop,
    left_out,
    limited,
    plan_of,
)


def small_shop(products: int = 12) -> Shop:
    groups = {"sku-0": "pair", "sku-1": "pair"}
    entries = [Entry(f"sku-{i}", Path(f"{i}.jpg"), groups.get(f"sku-{i}", "")) for i in range(products)]
    queries = tuple(Photo(Path(f"photo-{i}.jpg"), f"sku-{i}") for i in range(products))
    return Shop("small", "small", plan_of(entries), {QUERIES: queries, NEGATIVES: (Photo(0, ""),)})


def test_every_product_is_left_out_once_and_its_photos_are_asked_of_that_fold_only() -> None:
    shop = small_shop()
    folds = left_out(shop)
    assert len(folds) == FOLDS
    gone = [set(shop.plan.products) - set(fold.plan.products) for fold in folds]
    assert sorted(sku for some in gone for sku in some) == sorted(shop.plan.products)
    for fold, out in zip(folds, gone, strict=True):
        assert {str(photo.source) for photo in fold.asked[LEFT_OUT]} == {f"photo-{sku[4:]}.jpg" for sku in out}
        assert all(photo.sku == "" for photo in fold.asked[LEFT_OUT])
        assert set(fold.plan.pictures) == set(fold.plan.products)


def test_products_of_one_group_are_left_out_together() -> None:
    folds = left_out(small_shop())
    assert all(("sku-0" in fold.plan.products) == ("sku-1" in fold.plan.products) for fold in folds)


def test_a_limit_gives_the_same_sample_every_time() -> None:
    one, two = limited(small_shop(), 5), limited(small_shop(), 5)
    assert one.asked == two.asked
    assert [len(one.asked[kind]) for kind in (QUERIES, NEGATIVES)] == [5, 1]


def test_distractors_come_on_top_and_are_asked_nothing(tmp_path: Path) -> None:
    shop = small_shop()
    crowded = with_distractors(shop, [Path("scan.jpg")], drawn_distractors(7), tmp_path)
    assert len(crowded.plan.products) == 12 + 1 + 7
    assert crowded.asked == shop.asked
    assert crowded.beside == shop.key


def test_the_real_sets_have_the_numbers_of_products_and_photos_that_are_reported(shared_data: Path) -> None:
    shops = {shop.key: shop for shop in real_shops(shared_data)}
    counted = {
        key: (len(shop.plan.products), len(shop.plan.sources), len(shop.asked[QUERIES]))
        for key, shop in shops.items()
        if QUERIES in shop.asked
    }
    assert counted == {
        "groceries-packaged": (31, 31, 879),
        "shelves": (19, 19, 228),
        "apc2015": (25, 25, 30),
        "arc2017": (32, 32, 37),
        "produce-catalogue": (50, 50, 300),
        "produce-photos": (50, 600, 300),
        "groceries-81-k1": (81, 81, 1179),
        "groceries-81-k8": (81, 31 + 400, 1179),
    }
    left = sum(len(shop.asked[LEFT_OUT]) for shop in shops.values() if LEFT_OUT in shop.asked)
    assert left == 879 + 228 + 30 + 37
