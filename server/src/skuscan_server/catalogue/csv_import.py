"""A catalogue as CSV: UTF-8, a header, one row per reference picture.

Columns: `sku`, `name` and `image` are required; `gtin`, `group`, `price` with `currency`, and `withdrawn` are known;
any other column becomes a text attribute. Pictures are named relative to the CSV or absolutely. Rows of one SKU must
agree in everything but the picture. Row numbers in messages count the header as row 1, as spreadsheets do.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from skuscan_server.catalogue.plan import ImportPlan, PictureSource, refuse
from skuscan_server.catalogue.values import PRICE, Attribute, ProductData, check_sku, money
from skuscan_server.errors import CatalogueError, TooLargeError

REQUIRED = ("sku", "name", "image")
KNOWN = (*REQUIRED, "gtin", "group", "price", "currency", "withdrawn")
YES = frozenset({"1", "true", "yes", "y"})
NO = frozenset({"", "0", "false", "no", "n"})
FIELD_LENGTH = 8_192  # characters of one cell


def read_csv(path: Path, max_bytes: int, max_rows: int) -> ImportPlan:
    """Read and check a whole CSV; no picture is opened.

    Raises:
        CatalogueError: Columns are missing, or rows break a rule; the message names the rows.
        TooLargeError: More bytes or rows than allowed.
    """
    plan, problems, first_rows = ImportPlan(), list[str](), dict[str, int]()
    for number, row in _rows(_read_text(path, max_bytes), str(path), max_rows):
        try:
            _add_row(plan, first_rows, path.parent, number, row)
        except CatalogueError as error:
            problems.append(f"row {number}: {error.rule}: {error.received}")
    refuse(f"every row of {path.name} is right", problems)
    if not plan.products and not plan.withdrawn:
        raise CatalogueError("a catalogue has at least one row", f"{path.name}: only a header")
    return plan


def _read_text(path: Path, max_bytes: int) -> str:
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise TooLargeError(f"a catalogue CSV has at most {max_bytes} bytes", f"{path}: {size} bytes")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CatalogueError("the catalogue is a readable file", f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CatalogueError("a catalogue CSV is UTF-8", f"{path}: byte {error.start}", "save it as UTF-8") from error


def _rows(text: str, name: str, max_rows: int) -> Iterator[tuple[int, dict[str, str]]]:
    """(row number, cells by column) of each row that is not blank."""
    previous = csv.field_size_limit(FIELD_LENGTH)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        columns = _check_header(next(reader, []), name)
        for number, cells in enumerate(reader, start=2):
            if number - 1 > max_rows:
                raise TooLargeError(f"a catalogue CSV has at most {max_rows} rows", f"{name}: more")
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                raise CatalogueError(
                    f"every row has the header's {len(columns)} cells", f"{name}, row {number}: {len(cells)}"
                )
            yield number, dict(zip(columns, (cell.strip() for cell in cells), strict=True))
    except csv.Error as error:
        raise CatalogueError(
            "a catalogue is comma-separated values", f"{name}, line {reader.line_num}: {error}"
        ) from error
    finally:
        csv.field_size_limit(previous)


def _check_header(header: list[str], name: str) -> list[str]:
    columns = [column.strip().lower() if column.strip().lower() in KNOWN else column.strip() for column in header]
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        found = ", ".join(columns)[:200] or "an empty file"
        raise CatalogueError(
            f"a catalogue CSV has the columns {', '.join(REQUIRED)}", f"{name} without {', '.join(missing)}: {found}"
        )
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice or "" in columns:
        raise CatalogueError("every column has a name of its own", f"{name}: {', '.join(twice) or 'an empty name'}")
    return columns


def _add_row(plan: ImportPlan, first_rows: dict[str, int], folder: Path, number: int, row: dict[str, str]) -> None:
    sku = check_sku(row["sku"])
    first = first_rows.setdefault(sku, number)
    if _flag(row.get("withdrawn", "")):
        if first != number:
            raise CatalogueError("a withdrawn SKU has one row", f"{sku}, also in row {first}")
        plan.withdrawn.add(sku)
        return
    product = _product(row)
    if sku in plan.withdrawn:
        raise CatalogueError("a withdrawn SKU has one row", f"{sku}, also in row {first}")
    if plan.products.setdefault(sku, product) != product:
        raise CatalogueError("rows of one SKU differ only in the picture", f"{sku}, also in row {first}")
    source = PictureSource(_picture_path(folder, row["image"]), f"row {number}")
    sources = plan.pictures.setdefault(sku, [])
    for other in sources:
        if other.path == source.path:
            raise CatalogueError("a SKU names each picture once", f"{sku}, {row['image']}, also in {other.place}")
    sources.append(source)


def _product(row: dict[str, str]) -> ProductData:
    attributes: dict[str, Attribute] = {name: value for name, value in row.items() if name not in KNOWN and value}
    if row.get("price"):
        attributes[PRICE] = money(row["price"], row.get("currency", ""))
    return ProductData(row["sku"], row["name"], row.get("gtin", ""), row.get("group", ""), attributes)


def _picture_path(folder: Path, image: str) -> Path:
    if not image or "\0" in image:
        raise CatalogueError("every row names a picture", repr(image))
    return folder / image


def _flag(value: str) -> bool:
    if value.lower() in YES:
        return True
    if value.lower() in NO:
        return False
    raise CatalogueError("withdrawn is yes or no", repr(value[:20]))
