"""The demo's catalogue and photos on disk."""

import csv
import hashlib
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from skuscan_models.synthetic import demo
from skuscan_models.synthetic.__main__ import main
from skuscan_models.synthetic.demo import demo_catalogue, write_catalogue, write_demo
from skuscan_models.synthetic.packaging import DEMO_FAMILIES, FOREIGN_FAMILIES


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return folder, write_demo(folder)


def test_the_catalogue_has_eight_families_of_near_duplicates():
    products = demo_catalogue()
    sizes = {p.family: sum(q.family == p.family for q in products) for p in products}
    assert len(products) >= 60
    assert sum(size >= 8 for size in sizes.values()) == 8
    assert len({p.sku for p in products}) == len({p.gtin for p in products}) == len(products)
    assert len({p.group for p in products}) == len(products)  # no two differ in their size only
    assert len({p.kind for p in products}) == 6
    assert all(p.family in DEMO_FAMILIES for p in products)


def test_another_seed_gives_another_catalogue():
    assert {p.name for p in demo_catalogue(1)}.isdisjoint(p.name for p in demo_catalogue(2))


def test_foreign_products_have_brands_of_their_own():
    foreign = demo.foreign_products(12)
    assert all(p.family in FOREIGN_FAMILIES for p in foreign)
    assert {p.brand for p in foreign}.isdisjoint(p.brand for p in demo_catalogue())


def test_the_csv_has_a_row_and_a_picture_for_each_product(written):
    folder, files = written
    table = rows(files.catalogue)
    assert tuple(table[0]) == demo.CATALOGUE_COLUMNS
    assert [row["sku"] for row in table] == [p.sku for p in demo_catalogue()]
    for row in table:
        picture = cv2.imread(str(folder / row["image"]))
        assert picture is not None
        assert float(row["price"]) > 0
        assert (picture[0, 0] >= 250).all()


def test_twenty_photos_are_of_the_catalogue_and_four_are_foreign(written):
    folder, files = written
    photos = rows(files.photos)
    skus = {row["sku"] for row in rows(files.catalogue)}
    known = [row["sku"] for row in photos if row["sku"]]
    assert tuple(photos[0]) == demo.PHOTO_COLUMNS
    assert (len(known), len(photos)) == (20, 24)
    assert len(set(known)) == 20
    assert set(known) <= skus
    families = {p.sku: p.family for p in demo_catalogue()}
    assert len({families[sku] for sku in known}) == 8
    for row in photos:
        assert sorted(cv2.imread(str(folder / row["file"])).shape) == [3, 480, 640]


def test_the_later_change_adds_one_withdraws_one_and_changes_a_price(written):
    _, files = written
    catalogue = {row["sku"]: row for row in rows(files.catalogue)}
    (added,), (withdrawn,), (price,) = rows(files.added), rows(files.withdrawn), rows(files.prices)
    assert added["sku"] not in catalogue
    assert (files.added.parent / added["image"]).is_file()
    assert withdrawn["sku"] in catalogue
    assert price["price"] != catalogue[price["sku"]]["price"]
    assert len({added["sku"], withdrawn["sku"], price["sku"]}) == 3
    of_new, of_withdrawn = rows(files.change_photos)
    assert (of_new["sku"], of_withdrawn["sku"]) == (added["sku"], "")
    assert all((files.change_photos.parent / row["file"]).is_file() for row in (of_new, of_withdrawn))
    photographed = {row["sku"] for row in rows(files.photos)}
    assert withdrawn["sku"] not in photographed
    families = {p.sku: p.family for p in demo_catalogue()}
    assert list(families.values()).count(families[withdrawn["sku"]]) == 1  # nothing left that looks like it


def test_processes_write_what_one_process_writes(tmp_path):
    seen: list[tuple[int, int]] = []
    write_catalogue(tmp_path / "one", 20, seed=3, photos=3, progress=lambda done, total: seen.append((done, total)))
    write_catalogue(tmp_path / "two", 20, seed=3, photos=3, processes=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert seen == [(number, 23) for number in range(1, 24)]
    assert len(rows(tmp_path / "one" / "catalogue.csv")) == 20
    assert len({row["sku"] for row in rows(tmp_path / "one" / "photos.csv")}) == 3


def test_the_command_writes_a_catalogue_and_shows_progress(tmp_path):
    command = [sys.executable, "-W", "error", "-m", "skuscan_models.synthetic"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path), "--skus", "5", "--photos", "2"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(tmp_path / "catalogue.csv")
    assert "7 of 7 pictures" in done.stderr
    assert len(list((tmp_path / "images").iterdir())) == 5


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "python -m skuscan_models.synthetic --out demo" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--skus", "0"], ["--skus", "100000000"], ["--skus", "3", "--photos", "-1"]])
def test_bad_numbers_are_one_line_and_exit_code_2(wrong, tmp_path, capsys):
    assert main(["--out", str(tmp_path), *wrong]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_an_output_folder_that_is_a_file_is_one_line_and_exit_code_2(tmp_path, capsys):
    taken = tmp_path / "taken"
    taken.write_text("")
    assert main(["--out", str(taken), "--skus", "2"]) == 2
    assert "must be writable" in capsys.readouterr().err


def test_drawing_needs_no_training_library():
    code = "import sys, skuscan_models.synthetic.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in done.stdout.split()}.isdisjoint(
        {"keras", "tensorflow", "torch", "sklearn"}
    )
