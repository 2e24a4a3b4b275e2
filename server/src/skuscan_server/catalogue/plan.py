"""What an import is going to do: read and checked as a whole before anything is changed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skuscan_server.catalogue.values import ProductData
from skuscan_server.errors import CatalogueError

NAMED_PROBLEMS = 5  # how many problems one message names


@dataclass(frozen=True)
class PictureSource:
    """A picture file, and where it was named ("row 7", or the file itself)."""

    path: Path
    place: str


@dataclass
class ImportPlan:
    """Products to create or replace, each with all of its pictures, and SKUs to withdraw.

    Products that it does not name stay as they are.
    """

    products: dict[str, ProductData] = field(default_factory=dict)
    pictures: dict[str, list[PictureSource]] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)

    @property
    def sources(self) -> list[PictureSource]:
        """Every picture, in the order of the products."""
        return [source for sources in self.pictures.values() for source in sources]


def refuse(rule: str, problems: Sequence[str]) -> None:
    """Raise CatalogueError naming the problems, when there are any."""
    if problems:
        count = f"{len(problems)} problems: " if len(problems) > 1 else ""
        raise CatalogueError(rule, count + "; ".join(problems[:NAMED_PROBLEMS]), "nothing was imported")
