"""A retailer's catalogue as training pictures: the CSV that `skuscan-server catalogue import` takes.

Columns: `sku` and `image` are needed, `group` and `withdrawn` are known, any other is passed over: the server judges
those. One row per picture, named relative to the CSV or absolutely; several pictures of a SKU are photos of the same
side. Products of one group count as one answer, so they are no negatives of each other. Row numbers in messages count
the header as row 1.
"""

import csv
import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from skuscan.errors import PictureError
from skuscan_models.training.sources import Instance, Picture, load_small

SKU, IMAGE, GROUP, WITHDRAWN = "sku", "image", "group", "withdrawn"
TAKEN_OUT = frozenset({"1", "true", "yes", "y"})
MAX_PICTURES = 5_000  # they are held in memory, about 200 kB each
KEPT_ASIDE = 8  # one product of so many
FEWEST_PRODUCTS = 2 * KEPT_ASIDE
NAMED_PROBLEMS = 5  # in one message


@dataclass(frozen=True)
class TrainingCatalogue:
    """What a CSV holds.

    Attributes:
        instances: One for each SKU, in the order of their SKUs.
        digest: SHA-256 in hex over SKUs, groups and the pictures' bytes: another one is another training run.
    """

    instances: list[Instance]
    digest: str


def read_catalogue(path: Path) -> TrainingCatalogue:
    """Read a CSV and its pictures.

    Raises:
        PictureError: The file, its columns or some of its rows or pictures are wrong; the first rows are named.
    """
    digest, problems = hashlib.sha256(), list[str]()
    groups: dict[str, str] = {}
    pictures: dict[str, list[Picture]] = {}
    for number, row in _rows(path):
        try:
            sku, group, data = _checked(row, path.parent, groups)
            picture = load_small(data)
        except PictureError as error:
            problems.append(f"row {number}: {error.rule}: {error.received}")
            continue
        pictures.setdefault(sku, []).append(picture)
        digest.update("\n".join((sku, group, hashlib.sha256(data).hexdigest(), "")).encode())
    if problems:
        more = f"; and {len(problems) - NAMED_PROBLEMS} more" if len(problems) > NAMED_PROBLEMS else ""
        raise PictureError(f"every row of {path.name} is right", "; ".join(problems[:NAMED_PROBLEMS]) + more)
    instances = [Instance(sku, groups[sku] or sku, bool(groups[sku]), tuple(pictures[sku])) for sku in sorted(pictures)]
    return TrainingCatalogue(instances, digest.hexdigest())


def split(instances: Sequence[Instance]) -> tuple[list[Instance], list[Instance]]:
    """Products to train on, and those kept aside: the same for a SKU whatever the order of the rows.

    Raises:
        PictureError: Too few to keep some aside.
    """
    if len(instances) < FEWEST_PRODUCTS:
        raise PictureError(f"fine-tuning has at least {FEWEST_PRODUCTS} products", str(len(instances)))
    ranked = sorted(instances, key=lambda instance: (zlib.crc32(instance.key.encode()), instance.key))
    count = len(ranked) // KEPT_ASIDE
    return ranked[count:], ranked[:count]


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(row number, cells by column) of each row that is neither blank nor withdrawn."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise PictureError("the catalogue is a readable file", f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PictureError("a catalogue CSV is UTF-8", f"{path}: byte {error.start}", "save it as UTF-8") from error
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, restval="", restkey="")
        columns = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        missing = [name for name in (SKU, IMAGE) if name not in columns]
        if missing:
            raise PictureError("a catalogue CSV has the columns sku and image", f"{path.name} without {missing[0]}")
        reader.fieldnames = columns
        kept = 0
        for number, row in enumerate(reader, start=2):
            if row.get(WITHDRAWN, "").strip().lower() in TAKEN_OUT or not any(map(str.strip, map(str, row.values()))):
                continue
            kept += 1
            if kept > MAX_PICTURES:
                advice = "take a part of it: a few thousand products show what yours look like"
                raise PictureError(f"fine-tuning takes at most {MAX_PICTURES} pictures", f"{path.name}: more", advice)
            yield number, {name: cell.strip() for name, cell in row.items() if isinstance(cell, str)}
    except csv.Error as error:
        raise PictureError("a catalogue is comma-separated values", f"{path.name}: {error}") from error


def _checked(row: dict[str, str], folder: Path, groups: dict[str, str]) -> tuple[str, str, bytes]:
    """SKU, group and the picture's bytes."""
    sku, image, group = row[SKU], row[IMAGE], row.get(GROUP, "")
    if not sku:
        raise PictureError("every row names a SKU", "an empty cell")
    if not image or "\0" in image:
        raise PictureError("every row names a picture", repr(image))
    if groups.setdefault(sku, group) != group:
        raise PictureError("rows of one SKU have one group", f"{sku}: {groups[sku]!r} and {group!r}")
    try:
        return sku, group, (folder / image).read_bytes()
    except OSError as error:
        raise PictureError("a picture is a readable file", f"{image}: {error.strerror}") from error
