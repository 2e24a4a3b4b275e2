import contextlib
import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.errors import SkuscanError
from skuscan_server.catalogue.csv_import import read_csv
from skuscan_server.catalogue.plan import ImportPlan
from skuscan_server.errors import CatalogueError, ServerError, TooLargeError


def read(folder: Path, text: str | bytes) -> ImportPlan:
    path = folder / "catalogue.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_csv(path, 100_000, 100)


def test_columns_become_fields_and_attributes(tmp_path: Path) -> None:
    plan = read(
        tmp_path,
        "sku,name,image,gtin,group,price,currency,Brand,note\nA,Apple,a.jpg,4006381333931,fruit,2.49,EUR,Acme,\n",
    )
    product = plan.products["A"]
    assert (product.name, product.gtin, product.group) == ("Apple", "4006381333931", "fruit")
    assert product.attributes == {"Brand": "Acme", "price": {"currency": "EUR", "minor_units": 249}}
    assert [source.path for source in plan.pictures["A"]] == [tmp_path / "a.jpg"]


def test_a_product_may_have_a_row_per_picture(tmp_path: Path) -> None:
    plan = read(tmp_path, "sku,name,image\nA,Apple,a.jpg\nB,Pear,b.jpg\nA,Apple,/elsewhere/a2.jpg\n")
    assert [str(source.path) for source in plan.pictures["A"]] == [str(tmp_path / "a.jpg"), "/elsewhere/a2.jpg"]


def test_spreadsheets_may_begin_with_a_byte_order_mark_and_quote(tmp_path: Path) -> None:
    plan = read(tmp_path, '\ufeffSKU,Name,Image\r\n"A,1","Apple ""red""",a.jpg\r\n\r\n')
    assert plan.products["A,1"].name == 'Apple "red"'


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="without name, image: sku, title"):
        read(tmp_path, "sku,title\nA,Apple\n")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("A,Apple,a.jpg\nA,Pear,b.jpg", "row 3: .*differ only in the picture: A, also in row 2"),
        ("A,Apple,a.jpg\nB,Pear,b.jpg\nA,Apple,a.jpg", r"row 4: .*each picture once: A, a\.jpg, also in row 2"),
        ("A,Apple,", "row 2: every row names a picture"),
        ("A,,a.jpg", "row 2: a product has a name"),
        (" ,Apple,a.jpg", "row 2: a SKU has"),
        ("A,Apple,a.jpg,extra", "row 2: 4"),
        ("A,Apple", "row 2: 2"),
        ('A,"Apple,a.jpg', "line"),
        ("", "only a header"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        read(tmp_path, f"sku,name,image\n{rows}\n")


def test_many_wrong_rows_are_counted(tmp_path: Path) -> None:
    rows = "\n".join(f"S{n},,a.jpg" for n in range(15))
    with pytest.raises(CatalogueError, match=r"15 problems: row 2: .*row 6: .*nothing was imported"):
        read(tmp_path, f"sku,name,image\n{rows}\n")


def test_a_price_needs_its_currency(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="row 2: a price has a currency"):
        read(tmp_path, "sku,name,image,price\nA,Apple,a.jpg,2.49\n")


def test_a_withdrawn_product_needs_no_picture(tmp_path: Path) -> None:
    plan = read(tmp_path, "sku,name,image,withdrawn\nA,,,yes\nB,Pear,b.jpg,no\n")
    assert plan.withdrawn == {"A"}
    assert set(plan.products) == {"B"}


@pytest.mark.parametrize("rows", ["A,,,yes\nA,Apple,a.jpg,", "A,Apple,a.jpg,\nA,,,yes", "A,,,perhaps"])
def test_a_product_is_withdrawn_or_not(tmp_path: Path, rows: str) -> None:
    with pytest.raises(CatalogueError):
        read(tmp_path, f"sku,name,image,withdrawn\n{rows}\n")


@pytest.mark.parametrize("data", [b"\xff\xfes\x00k\x00u\x00", b"sku,name,image\nA,\xe9,a.jpg\n"])
def test_another_encoding_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(CatalogueError, match="UTF-8"):
        read(tmp_path, data)


@pytest.mark.guarantee("G21")
def test_too_much_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TooLargeError, match="100 rows"):
        read(tmp_path, "sku,name,image\n" + "".join(f"S{n},Apple,a.jpg\n" for n in range(101)))
    with pytest.raises(TooLargeError, match="100000 bytes"):
        read(tmp_path, b"x" * 100_001)
    with pytest.raises(CatalogueError):
        read(tmp_path, f"sku,name,image\nA,{'x' * 9_000},a.jpg\n")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SkuscanError, match="No such file"):
        read_csv(tmp_path / "none.csv", 1, 1)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_catalogue_or_refused(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        for text in (data, b"sku,name,image\n" + data):
            with contextlib.suppress(ServerError):
                assert read(Path(folder), text).sources is not None


WORDS = st.text(st.characters(categories=["L", "N"], codec="utf-8"), min_size=1, max_size=12)


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, unique_by=lambda row: row[0]))
def test_what_was_written_is_read(rows: list[tuple[str, str, str]]) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([("sku", "name", "image"), *rows])
    with TemporaryDirectory() as folder:
        plan = read(Path(folder), out.getvalue())
    assert [(p.sku, p.name) for p in plan.products.values()] == [(sku, name) for sku, name, _ in rows]
