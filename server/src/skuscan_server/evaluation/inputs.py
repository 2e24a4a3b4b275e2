"""Reads what a user gives to an evaluation: the query CSV, folders of pictures. Checked before anything runs."""

import csv
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from skuscan_server.errors import CatalogueError

PICTURE_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
SAMPLE_SEED = 20_260_101  # of --limit: the same sample at every run


@dataclass(frozen=True)
class Query:
    """One picture and the SKU that it shows."""

    file: Path
    sku: str


def read_queries(path: Path, known_skus: Iterable[str], limit: int | None = None) -> list[Query]:
    """Read `Q.csv` (file,sku; more columns allowed; paths relative to it or absolute).

    Raises:
        CatalogueError: A column or a picture is missing, or a SKU is not in the catalogue; rows are named.
    """
    known = set(known_skus)
    queries, missing, unknown = [], [], []
    for row, fields in _rows(path, ("file", "sku")):
        query = Query((path.parent / fields["file"]).resolve(), fields["sku"])
        if not query.file.is_file():
            missing.append(f"row {row}: {fields['file']}")
        if query.sku not in known:
            unknown.append(f"row {row}: {query.sku}")
        queries.append(query)
    if missing:
        raise CatalogueError("every query picture exists", _few(missing), "paths are relative to the CSV or absolute")
    if unknown:
        raise CatalogueError(
            "every query shows a SKU of the catalogue", _few(unknown), "put other pictures in --negatives"
        )
    if not queries:
        raise CatalogueError("an evaluation has at least one query", f"{path}: no rows")
    if limit is not None and limit < len(queries):
        queries = random.Random(SAMPLE_SEED).sample(queries, limit)
    return queries


def pictures_in(folder: Path) -> list[Path]:
    """Every picture in a folder and below, sorted. Raises CatalogueError when there is none."""
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file())
    if not found:
        raise CatalogueError(
            "the folder holds pictures", str(folder), f"known endings: {', '.join(sorted(PICTURE_SUFFIXES))}"
        )
    return found


def _rows(path: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            absent = [c for c in columns if c not in (reader.fieldnames or ())]
            if absent:
                raise CatalogueError(f"{path.name} has the columns {', '.join(columns)}", f"no {', '.join(absent)}")
            return [(row, {c: (fields[c] or "").strip() for c in columns}) for row, fields in enumerate(reader, 2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogueError("a readable CSV in UTF-8", f"{path}: {error}") from error


def _few(items: list[str]) -> str:
    return "; ".join(items[:5]) + (f" and {len(items) - 5} more" if len(items) > 5 else "")
