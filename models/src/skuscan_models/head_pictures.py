"""What an untrained model's head is fitted on: pictures of products, and drawn field views of them.

Drawn packaging always; beside it a folder of real package scans where there is one, for real print looks different.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skuscan.picture import load_picture
from skuscan_models.pictures import find_pictures
from skuscan_models.synthetic.field_view import HARD, USUAL, field_view
from skuscan_models.synthetic.packaging import TRAIN_FAMILIES, design, draw_front

VIEWS = (USUAL, HARD)  # one of each a product
RANGE_SEED = 1  # of the drawn products; the decision's coefficients are fitted on those of another one

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class HeadPictures:
    """How much is shown to the fit.

    Attributes:
        scans: A folder with one picture a product, front on; None for drawn packaging alone.
        families: Of drawn products.
        variants: Of each family, near-duplicates of each other.
        seed: Of the choice of families and of the field views.
    """

    scans: Path | None = None
    families: int = 400
    variants: int = 2
    seed: int = 0

    @property
    def description(self) -> str:
        """For the model card."""
        scans = f", and {len(find_pictures(self.scans)):,} scans of real packages" if self.scans else ""
        drawn = f"{self.families * self.variants:,} drawn products"
        return f"{drawn}{scans}, each with {len(VIEWS)} drawn field views, seed {self.seed}"

    def load(self) -> Iterator[tuple[str, Picture]]:
        """A product's name and a picture of it, (H, W, 3) uint8 RGB: first its front, then its field views.

        Raises:
            PictureError: A scan cannot be used, or the folder holds none.
        """
        rng = np.random.default_rng(self.seed)
        families = rng.choice(len(TRAIN_FAMILIES), self.families, replace=False)
        for family in families:
            for variant in range(self.variants):
                product = design(RANGE_SEED, TRAIN_FAMILIES[int(family)], variant)
                yield from _with_views(product.sku, draw_front(product), rng)
        for path in find_pictures(self.scans) if self.scans else ():
            yield from _with_views(path.name, load_picture(path), rng)


def _with_views(name: str, front: Picture, rng: np.random.Generator) -> Iterator[tuple[str, Picture]]:
    yield name, front
    for options in VIEWS:
        yield name, field_view(front, rng, options)
