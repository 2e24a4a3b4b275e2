from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from skuscan_server.catalogue.csv_import import read_csv
from skuscan_server.catalogue.importer import ImportResult
from skuscan_server.catalogue.products import catalogue_version
from skuscan_server.db.models import Feature, Product
from skuscan_server.errors import CatalogueError
from skuscan_server.services import Services
from tools.fault_bench.disks import Killed

Rows = list[dict[str, Any]]
Run = Callable[[Rows], ImportResult]


def skus(services: Services) -> list[str]:
    with services.database.read() as session:
        return list(session.scalars(select(Product.sku).order_by(Product.sku)))


def test_an_import_brings_products_pictures_and_features(
    services: Services, import_rows: Run, five_products: Rows
) -> None:
    assert import_rows(five_products) == ImportResult(5, 0, 0, 0, 5)
    with services.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Feature)) == 5
        assert session.get_one(Product, "SKU-1").references[0].source_name == "1.jpg"


def test_the_same_import_again_changes_nothing(services: Services, import_rows: Run, five_products: Rows) -> None:
    import_rows(five_products)
    with services.database.read() as session:
        before = catalogue_version(session)
    assert import_rows(five_products) == ImportResult(0, 0, 0, 5, 0)
    with services.database.read() as session:
        assert catalogue_version(session) == before


def test_an_import_changes_what_it_names_and_nothing_else(
    services: Services, import_rows: Run, five_products: Rows
) -> None:
    import_rows(five_products)
    change = [
        {"sku": "SKU-1", "name": "Another name", "image": "1.jpg", "withdrawn": ""},
        {"sku": "SKU-2", "name": "", "image": "", "withdrawn": "yes"},
        {"sku": "SKU-9", "name": "New", "image": "9.jpg", "withdrawn": ""},
    ]
    assert import_rows(change) == ImportResult(1, 1, 1, 0, 1)
    assert skus(services) == ["SKU-1", "SKU-3", "SKU-4", "SKU-5", "SKU-9"]


def test_the_pictures_of_a_product_are_those_of_its_rows(services: Services, import_rows: Run) -> None:
    import_rows([{"sku": "A", "name": "Apple", "image": f"{n}.jpg"} for n in (1, 2)])
    import_rows([{"sku": "A", "name": "Apple", "image": f"{n}.jpg"} for n in (2, 3)])
    with services.database.read() as session:
        assert [r.source_name for r in session.get_one(Product, "A").references] == ["2.jpg", "3.jpg"]


@pytest.mark.guarantee("G17")
@pytest.mark.parametrize("damage", [b"", b"no picture", None])
def test_one_unusable_picture_leaves_the_catalogue_as_it_was(
    services: Services, import_rows: Run, five_products: Rows, tmp_path: Path, damage: bytes | None
) -> None:
    if damage is not None:
        (tmp_path / "broken.jpg").write_bytes(damage)
    rows = [*five_products, {"sku": "BAD", "name": "Bad", "image": "broken.jpg"}]
    with pytest.raises(CatalogueError, match=r"row 7: .*broken\.jpg.*nothing was imported"):
        import_rows(rows)
    assert skus(services) == []


@pytest.mark.guarantee("G17")
def test_an_import_that_was_killed_goes_on_without_doing_finished_work_twice(
    services: Services, write_catalogue: Callable[..., Path], five_products: Rows
) -> None:
    plan = read_csv(write_catalogue(five_products), 1_000_000, 1_000)
    done = 0

    def kill(finished: int) -> None:
        nonlocal done
        done += finished
        if done == 3:
            raise Killed

    with services.pool() as pool, pytest.raises(Killed):
        services.importer(pool).run(plan, "test", kill)
    assert skus(services) == []
    with services.pool() as pool:
        result = services.importer(pool).run(plan, "test")
    assert (result.created, result.computed) == (5, 3)  # one batch of two was finished
    assert len(skus(services)) == 5


def test_work_finished_before_a_kill_keeps_its_picture(
    services: Services, import_rows: Run, five_products: Rows, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(CatalogueError):
        import_rows([*five_products, {"sku": "BAD", "name": "Bad", "image": "broken.jpg"}])
    for path in services.pictures.files():
        path.unlink()
    import_rows(five_products)
    assert len(list(services.pictures.files())) == 5
