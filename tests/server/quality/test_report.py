"""Reports of the catalogue's pictures, as data and as pages."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from skuscan.proto.catalogue_pb2 import RECORD_KIND_PAIR, Pair
from skuscan.quality import ReferenceQuality
from skuscan_server.catalogue.products import put_product, set_references
from skuscan_server.catalogue.values import ProductData
from skuscan_server.db.models import LiveRecord, Record, Reference
from skuscan_server.quality.neighbours import Neighbours
from skuscan_server.quality.page import look_alike_page, quality_page
from skuscan_server.quality.report import SAME_PICTURE, LookAlike, Summary, summarise
from skuscan_server.quality.score import Grade
from skuscan_server.services import Services

AddProduct = Callable[..., None]
PICTURE = b"RIFF a picture"


@pytest.fixture
def summary(services: Services, neighbours: Neighbours) -> Callable[..., Summary]:
    def read(most: int = 10) -> Summary:
        neighbours.refresh()
        with services.quality_report() as report:
            return summarise(report.all_references(), most)

    return read


@pytest.fixture
def look_alikes(services: Services, neighbours: Neighbours) -> Callable[..., list[LookAlike]]:
    def read(most: int = 10) -> list[LookAlike]:
        neighbours.refresh()
        with services.quality_report() as report:
            pairs = report.look_alikes(most)
            assert report.count_look_alikes() >= len(pairs)
            return pairs

    return read


def test_the_worst_pictures_come_first_and_the_rest_is_counted(
    add_product: AddProduct, summary: Callable[..., Summary], faultless: ReferenceQuality
) -> None:
    for number, blur in enumerate((0.3, 0.88, 0.75, 0.82)):
        add_product(f"S{number}", 90 * number, quality=replace(faultless, blur=blur))
    add_product("S9", 45, quality=None)
    got = summary(most=2)
    assert got.grades == {Grade.POOR: 2, Grade.FAIR: 1, Grade.GOOD: 1}
    assert got.unmeasured == 1
    assert [item.picture.sku for item in got.worst] == ["S1", "S3"]


def test_each_pair_is_told_once_by_its_nearest_pictures(
    add_product: AddProduct, look_alikes: Callable[..., list[LookAlike]]
) -> None:
    add_product("B", 0, 40)
    add_product("A", 20, 41)
    add_product("C", 90)
    (pair,) = look_alikes()
    assert (pair.a.source_name, pair.b.source_name) == ("A-41.jpg", "B-40.jpg")
    assert pair.similarity == pytest.approx(0.9998, abs=1e-3)


def test_pairs_are_listed_from_the_most_alike(
    add_product: AddProduct, look_alikes: Callable[..., list[LookAlike]]
) -> None:
    for sku, angle in (("A", 0), ("B", 20), ("C", 22), ("D", 37)):
        add_product(sku, angle)
    assert [pair.a.sku + pair.b.sku for pair in look_alikes()][:2] == ["BC", "CD"]
    assert [pair.a.sku + pair.b.sku for pair in look_alikes(1)] == ["BC"]


def test_two_products_with_one_picture_are_told_so(
    add_product: AddProduct, look_alikes: Callable[..., list[LookAlike]], services: Services
) -> None:
    add_product("A", 0)
    with services.database.write() as session:
        put_product(session, ProductData("B", "Bun", "", "", {}))
        digest = session.query(Reference.picture_sha256).filter_by(sku="A").scalar()
        set_references(session, "B", [(digest, "copy.jpg")])
    (pair,) = look_alikes()
    assert pair.advice == SAME_PICTURE


def test_a_published_pair_tells_its_margin(
    add_product: AddProduct, look_alikes: Callable[..., list[LookAlike]], services: Services
) -> None:
    add_product("A", 0)
    add_product("B", 5)
    assert look_alikes()[0].margin is None
    data = Pair(sku_a="A", sku_b="B", similarity=0.9, minimum_margin=0.25).SerializeToString()
    with services.database.write() as session:
        record = Record(kind=RECORD_KIND_PAIR, key="A\x1fB", source=bytes(32), sha256=bytes(32), data=data)
        session.add(record)
        session.flush()
        session.add(LiveRecord(assortment="default", kind=RECORD_KIND_PAIR, key="A\x1fB", record_id=record.id))
    assert look_alikes()[0].margin == 0.25


def test_pages_hold_their_pictures_and_fetch_nothing(
    add_product: AddProduct,
    summary: Callable[..., Summary],
    look_alikes: Callable[..., list[LookAlike]],
    faultless: ReferenceQuality,
) -> None:
    add_product("A", 0, quality=replace(faultless, blur=0.9))
    add_product("B", 5)
    for page, pictures in (
        (quality_page(summary(), lambda _: PICTURE), 2),
        (look_alike_page(look_alikes(), lambda _: PICTURE), 2),
    ):
        assert page.count("data:image/webp;base64,UklGRiBhIHBpY3R1cmU=") == pictures
        assert not re.search(r"https?:|<script|<link|src=\"(?!data:)", page)


def test_a_name_from_a_catalogue_is_text_on_a_page(
    add_product: AddProduct, services: Services, look_alikes: Callable[..., list[LookAlike]]
) -> None:
    add_product("<script>A", 0)
    add_product("B&B", 5)
    page = look_alike_page(look_alikes(), lambda _: None)
    assert "<script" not in page
    assert "&lt;script&gt;A" in page
    assert "B&amp;B" in page
    assert "<img" not in page
