"""Which pictures look alike, through changes of the catalogue."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from skuscan_server.catalogue.products import withdraw
from skuscan_server.db.lock import builder_lock
from skuscan_server.db.models import Feature, Neighbour, Reference
from skuscan_server.quality.nearest import NearOptions
from skuscan_server.quality.neighbours import LOCK, Neighbours
from skuscan_server.services import Services

AddProduct = Callable[..., None]
Nearest = Callable[[], dict[str, str]]


@pytest.fixture
def nearest(services: Services) -> Nearest:
    """Source name of each picture -> that of its nearest."""

    def read() -> dict[str, str]:
        with services.database.read() as session:
            names = {reference.id: reference.source_name for reference in session.scalars(select(Reference))}
            rows = session.scalars(select(Neighbour).order_by(Neighbour.similarity)).all()
        return {names[row.reference_id][:-4]: names[row.other_id][:-4] for row in rows}

    return read


def test_new_pictures_are_compared_with_all_and_all_with_them(
    neighbours: Neighbours, add_product: AddProduct, nearest: Nearest
) -> None:
    add_product("A", 0)
    add_product("B", 60)
    neighbours.refresh()
    assert nearest() == {"A-0": "B-60", "B-60": "A-0"}
    add_product("C", 10)
    neighbours.refresh()
    assert nearest() == {"A-0": "C-10", "B-60": "C-10", "C-10": "A-0"}


def test_a_withdrawn_product_s_neighbours_find_others(
    neighbours: Neighbours, add_product: AddProduct, nearest: Nearest, services: Services
) -> None:
    for sku, angle in (("A", 0), ("B", 10), ("C", 70)):
        add_product(sku, angle)
    neighbours.refresh()
    with services.database.write() as session:
        withdraw(session, "B")
    assert nearest() == {}
    neighbours.refresh()
    assert nearest() == {"A-0": "C-70", "C-70": "A-0"}


def test_a_crowd_that_is_withdrawn_leaves_the_next_ones_to_each_other(
    neighbours: Neighbours, add_product: AddProduct, nearest: Nearest, services: Services
) -> None:
    for sku, angle in (("A", 340), ("B", 0), ("C", 1), ("D", 2), ("E", 3)):
        add_product(sku, angle)
    neighbours.refresh()  # B's three are C, D and E, and one of A's three is B
    with services.database.write() as session:
        for sku in "CDE":
            withdraw(session, sku)
    assert nearest() == {"A-340": "B-0"}
    neighbours.refresh()
    assert nearest() == {"A-340": "B-0", "B-0": "A-340"}


def test_another_picture_of_a_product_is_compared_anew(
    neighbours: Neighbours, add_product: AddProduct, nearest: Nearest
) -> None:
    add_product("A", 0)
    add_product("B", 10)
    neighbours.refresh()
    add_product("B", 80, 5)
    neighbours.refresh()
    assert nearest() == {"A-0": "B-5", "B-80": "A-0", "B-5": "A-0"}


def test_products_that_join_a_group_are_no_neighbours_and_are_again_when_they_leave(
    neighbours: Neighbours, add_product: AddProduct, nearest: Nearest
) -> None:
    add_product("A", 0, group="bars")
    add_product("B", 10)
    add_product("C", 50)
    neighbours.refresh()
    add_product("B", 10, group="bars")
    neighbours.refresh()
    assert nearest() == {"A-0": "C-50", "B-10": "C-50", "C-50": "B-10"}
    add_product("B", 10)
    neighbours.refresh()
    assert nearest() == {"A-0": "B-10", "B-10": "A-0", "C-50": "B-10"}


def test_neighbours_of_another_feature_space_are_forgotten(
    neighbours: Neighbours, add_product: AddProduct, nearest: Nearest, services: Services
) -> None:
    add_product("A", 0)
    add_product("B", 10)
    neighbours.refresh()
    Neighbours(services.database, b"another".ljust(32), NearOptions(0.9), lease=5.0).refresh()
    assert nearest() == {}


def test_a_picture_that_is_not_measured_yet_waits(
    neighbours: Neighbours, add_product: AddProduct, nearest: Nearest, services: Services
) -> None:
    add_product("A", 0)
    add_product("B", 10, quality=None)
    neighbours.refresh()
    assert nearest() == {}
    add_product("B", 10)
    neighbours.refresh()
    assert nearest() == {"A-0": "B-10", "B-10": "A-0"}


def test_a_refresh_without_news_reads_no_embedding(
    neighbours: Neighbours, add_product: AddProduct, nearest: Nearest, services: Services
) -> None:
    add_product("A", 0)
    add_product("B", 10)
    neighbours.refresh()
    before = nearest()
    with services.database.write() as session:
        for feature in session.scalars(select(Feature)):
            feature.embedding = b"unreadable"
    neighbours.refresh()
    assert nearest() == before


def test_while_another_process_compares_a_refresh_steps_back(
    add_product: AddProduct, nearest: Nearest, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    hurried = Neighbours(services.database, services.model.feature_space, NearOptions(0.9), lease=0.1)
    add_product("A", 0)
    add_product("B", 10)
    with builder_lock(services.database, LOCK, 60.0):
        hurried.refresh()
    assert nearest() == {}
    assert "another process" in caplog.text
    hurried.refresh()
    assert nearest() == {"A-0": "B-10", "B-10": "A-0"}
