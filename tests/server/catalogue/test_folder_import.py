from pathlib import Path

import pytest

from skuscan_server.catalogue.folder_import import read_folder
from skuscan_server.errors import CatalogueError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_file_is_a_product_and_a_folder_is_one_with_several_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "cola.jpg", "tea/front.PNG", "tea/back.webp", "notes.txt", ".hidden.jpg", "empty/readme.md")
    plan = read_folder(tmp_path)
    assert {sku: [p.path.name for p in pictures] for sku, pictures in plan.pictures.items()} == {
        "cola": ["cola.jpg"],
        "tea": ["back.webp", "front.PNG"],
    }


def test_a_product_twice_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "cola.jpg", "cola.png")
    with pytest.raises(CatalogueError, match=r"cola\.png: SKU cola is there twice"):
        read_folder(tmp_path)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt")
    with pytest.raises(CatalogueError, match="holds pictures"):
        read_folder(tmp_path)
