"""What int8 costs in recall@1, embedding alone: the same photos against the same references, with both networks.

A set is a folder with `catalogue.csv` (sku, category, image) and `queries.csv` (file, sku, category). Where it has
several categories, each is a question of its own, as produce and packages are.
"""

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from skuscan.embedding import Embedder
from skuscan.errors import PictureError
from skuscan.model import Model
from skuscan.picture import load_picture
from skuscan.runtime import RuntimeOptions
from skuscan_export.parity import embed_float

if TYPE_CHECKING:  # importing it needs keras
    from skuscan_models.backbones import Backbone

MAX_POOLED_LOSS = 0.005  # of recall@1, over all photos
MAX_SET_LOSS = 0.01  # of recall@1 in one set, or one photo where that is more
Z_95 = 1.959964  # two-sided 95% of the normal distribution
CATALOGUE, QUERIES = "catalogue.csv", "queries.csv"

Embed = Callable[[Path], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Loss:
    """One question answered twice.

    Attributes:
        name: Of the set, and of the category where it has several.
        queries: How many photos.
        exact: Recall@1 of the float network.
        quantized: Recall@1 of the int8 network.
        lost: Photos that only the float network gets right.
        won: Photos that only the int8 network gets right.
    """

    name: str
    queries: int
    exact: float
    quantized: float
    lost: int
    won: int

    @property
    def passes(self) -> bool:
        """Whether a set loses no more than one photo or one point, the greater."""
        return self.lost - self.won <= max(1.0, MAX_SET_LOSS * self.queries)


@dataclass(frozen=True)
class Comparison:
    """All questions, and the paired difference over all photos."""

    losses: tuple[Loss, ...]

    @property
    def pooled(self) -> float:
        """Recall@1 that int8 loses, over all photos together."""
        return sum(loss.lost - loss.won for loss in self.losses) / sum(loss.queries for loss in self.losses)

    @property
    def interval(self) -> tuple[float, float]:
        """95% of `pooled`.

        Bonett and Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on
        paired data".
        """
        n = sum(loss.queries for loss in self.losses) + 2
        lost, won = (sum(counts) + 1 for counts in zip(*((x.lost, x.won) for x in self.losses), strict=True))
        middle = (lost - won) / n
        half = Z_95 * math.sqrt(((lost + won) / n - middle**2) / n)
        return middle - half, middle + half

    @property
    def passes(self) -> bool:
        """Whether int8 may be released."""
        return self.pooled <= MAX_POOLED_LOSS and all(loss.passes for loss in self.losses)

    def write(self, path: Path) -> None:
        """As JSON, with what is allowed beside it."""
        report = {
            "sets": [vars(loss) | {"passes": loss.passes} for loss in self.losses],
            "pooled_loss": self.pooled,
            "interval": self.interval,
            "allowed": {"pooled_loss": MAX_POOLED_LOSS, "set_loss": MAX_SET_LOSS},
            "passes": self.passes,
        }
        path.write_text(json.dumps(report, indent=2) + "\n")


def compare(backbone: "Backbone", model: Model, folders: Iterable[Path]) -> Comparison:
    """Ask every set both networks.

    Args:
        backbone: The float network that `model` was exported from.
        model: The artefact.
        folders: Sets.

    Raises:
        PictureError: A folder is no set, or a picture cannot be used.
    """
    embedder = Embedder.open(model, RuntimeOptions())

    def quantized(path: Path) -> npt.NDArray[np.float32]:
        return embedder.embed(load_picture(path))

    def exact(path: Path) -> npt.NDArray[np.float32]:
        return embed_float(backbone, model, path)

    return Comparison(tuple(loss for folder in folders for loss in _ask(folder, exact, quantized)))


def _ask(folder: Path, exact: Embed, quantized: Embed) -> Iterator[Loss]:
    catalogue, queries = _rows(folder / CATALOGUE, "image"), _rows(folder / QUERIES, "file")
    categories = sorted({category for _, _, category in catalogue})
    for category in categories:
        references = [row for row in catalogue if row[2] == category]
        photos = [row for row in queries if row[2] == category]
        if not photos:
            continue
        name = folder.name if len(categories) == 1 else f"{folder.name} {category}"
        before, after = (_right(references, photos, embed) for embed in (exact, quantized))
        lost, won = int((before & ~after).sum()), int((after & ~before).sum())
        yield Loss(name, len(photos), float(before.mean()), float(after.mean()), lost, won)


def _right(
    references: Sequence[tuple[str, Path, str]], photos: Sequence[tuple[str, Path, str]], embed: Embed
) -> npt.NDArray[np.bool_]:
    """(photos,) bool: whether the nearest reference shows the right product."""
    vectors = np.stack([embed(path) for _, path, _ in references])
    nearest = [int((vectors @ embed(path)).argmax()) for _, path, _ in photos]
    return np.array([references[i][0] == sku for i, (sku, _, _) in zip(nearest, photos, strict=True)])


def _rows(path: Path, column: str) -> list[tuple[str, Path, str]]:
    """SKU, picture and category of each row."""
    try:
        with path.open(newline="") as file:
            return [(row["sku"], path.parent / row[column], row["category"]) for row in csv.DictReader(file)]
    except (OSError, KeyError) as error:
        raise PictureError(
            f"a set has {path.name} with the columns sku, {column}, category", f"{path}: {error}"
        ) from error
