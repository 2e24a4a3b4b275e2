import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skuscan.errors import PictureError
from skuscan_models.training import catalogue as module
from skuscan_models.training.catalogue import FEWEST_PRODUCTS, read_catalogue, split

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a CSV, and a picture for every name that is not there yet."""

    def write_rows(rows: list[dict[str, Any]], name: str = "catalogue.csv") -> Path:
        with (tmp_path / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(column for row in rows for column in row)))
            writer.writeheader()
            writer.writerows(rows)
        for number, row in enumerate(rows):
            if row["image"].endswith(".png") and not (tmp_path / row["image"]).exists():
                Image.new("RGB", (40, 30), (number, 0, 0)).save(tmp_path / row["image"])
        return tmp_path / name

    return write_rows


def rows(count: int) -> list[dict[str, Any]]:
    return [{"sku": f"S{n}", "name": f"Product {n}", "image": f"{n}.png", "price": "1.00"} for n in range(count)]


def test_the_servers_csv_becomes_an_instance_for_every_sku(write: Write) -> None:
    read = read_catalogue(write(rows(3)))
    assert [instance.key for instance in read.instances] == ["S0", "S1", "S2"]
    assert {instance.pictures[0].shape for instance in read.instances} == {(30, 40, 3)}
    assert {instance.family for instance in read.instances} == {"S0", "S1", "S2"}
    assert not any(instance.alike for instance in read.instances)


def test_several_rows_of_a_sku_are_several_pictures_of_one_instance(write: Write) -> None:
    read = read_catalogue(write([*rows(2), {"sku": "S0", "image": "other.png"}]))
    assert [len(instance.pictures) for instance in read.instances] == [2, 1]


def test_products_of_one_group_are_no_negatives_of_each_other(write: Write) -> None:
    grouped = [row | {"group": "tea" if row["sku"] < "S2" else ""} for row in rows(3)]
    assert [(i.family, i.alike) for i in read_catalogue(write(grouped)).instances] == [
        ("tea", True),
        ("tea", True),
        ("S2", False),
    ]


def test_withdrawn_and_blank_rows_are_passed_over(write: Write) -> None:
    path = write([*rows(2), {"sku": "gone", "image": "", "withdrawn": "yes"}, {"sku": " ", "image": ""}])
    assert len(read_catalogue(path).instances) == 2


def test_the_order_of_the_columns_and_capitals_do_not_matter(write: Write, tmp_path: Path) -> None:
    path = write(rows(1))
    (tmp_path / "other.csv").write_text("\ufeffImage, SKU \n0.png, S0\n")
    (read,) = read_catalogue(tmp_path / "other.csv").instances
    (same,) = read_catalogue(path).instances
    np.testing.assert_array_equal(read.pictures[0], same.pictures[0])


def test_the_digest_changes_with_a_sku_a_group_or_a_picture(write: Write, tmp_path: Path) -> None:
    digests = {read_catalogue(write(rows(2))).digest}
    digests.add(read_catalogue(write([*rows(1), {"sku": "SX", "image": "1.png"}])).digest)
    digests.add(read_catalogue(write([row | {"group": "g"} for row in rows(2)])).digest)
    Image.new("RGB", (40, 30), "white").save(tmp_path / "0.png")
    digests.add(read_catalogue(write(rows(2))).digest)
    assert len(digests) == 4
    assert read_catalogue(write(rows(2))).digest in digests


def test_wrong_rows_are_named_together(write: Write, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    wrong = [
        *rows(1),
        {"sku": "", "image": "0.png"},
        {"sku": "S5", "image": "not-there.jpg"},
        {"sku": "S6", "image": "broken.jpg"},
        {"sku": "S0", "image": "0.png", "group": "another"},
        {"sku": "S7", "image": ""},
    ]
    with pytest.raises(PictureError) as refused:
        read_catalogue(write(wrong))
    message = str(refused.value)
    for number, words in ((3, "names a SKU"), (4, "not-there"), (5, "picture"), (6, "one group"), (7, "a picture")):
        assert f"row {number}: " in message
        assert words in message.split(f"row {number}: ")[1].split("; row")[0]


def test_many_wrong_rows_are_counted(write: Write) -> None:
    with pytest.raises(PictureError, match="and 15 more"):
        read_catalogue(write([{"sku": f"S{n}", "image": "not-there.jpg"} for n in range(20)]))


def test_a_catalogue_of_too_many_pictures_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PICTURES", 2)
    with pytest.raises(PictureError, match="at most 2 pictures"):
        read_catalogue(write(rows(3)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "without sku"),
        (b"sku,name\nS0,Tea\n", "without image"),
        (b"sku,image\n\xff,0.png\n", "UTF-8"),
        (b'sku,image\n"S0,0.png\n', "comma-separated"),
    ],
)
def test_what_is_no_catalogue_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(PictureError, match=words):
        read_catalogue(tmp_path / "a.csv")


def test_a_row_that_is_cut_short_is_named(write: Write, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sku,image\nS0\n")
    with pytest.raises(PictureError, match="row 2: every row names a picture"):
        read_catalogue(tmp_path / "a.csv")


def test_a_csv_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="readable file"):
        read_catalogue(tmp_path / "none.csv")


def test_one_product_of_eight_is_kept_aside_whatever_the_order(write: Write) -> None:
    instances = read_catalogue(write(rows(32))).instances
    trained, aside = split(instances)
    assert (len(trained), len(aside)) == (28, 4)
    assert {i.key for i in trained} | {i.key for i in aside} == {i.key for i in instances}
    assert [i.key for i in split(instances[::-1])[1]] == [i.key for i in aside]


def test_too_few_products_are_refused(write: Write) -> None:
    instances = read_catalogue(write(rows(FEWEST_PRODUCTS))).instances
    assert len(split(instances)[1]) == 2
    with pytest.raises(PictureError, match=f"at least {FEWEST_PRODUCTS} products"):
        split(instances[1:])
