"""A folder of training pictures, small and drawn; nothing here needs Keras."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from skuscan_models.synthetic.packaging import TRAIN_FAMILIES, design, draw_front

Picture = npt.NDArray[np.uint8]
SIDE = 96  # px

BOXES = [
    *(f"game_ds_{n}" for n in range(12)),
    *(f"manga_{n}" for n in range(12)),
    *(f"shelfcrop_{n}" for n in range(12)),
    *(f"tea_{n}" for n in range(12)),
]


@pytest.fixture(scope="session")
def make_front() -> Callable[[int], Picture]:
    """A drawn package for a number, at most 96 px."""

    def make(number: int) -> Picture:
        front = draw_front(design(3, TRAIN_FAMILIES[number], 0))
        image = Image.fromarray(front)
        image.thumbnail((SIDE, SIDE))
        return np.asarray(image)

    return make


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory, make_front: Callable[[int], Picture]) -> Path:
    """`boxes`, `grozi120` and `produce` as the collections of real pictures are laid out."""
    folder = tmp_path_factory.mktemp("pictures")
    fronts = [Image.fromarray(make_front(number)) for number in range(8)]
    folders = {folder / "boxes": BOXES}
    folders |= {folder / "grozi120" / str(n): ["a", "b", "c"] for n in range(12)}
    folders |= {folder / "produce" / name: list("abcdefg") for name in ("apple", "leek", "pear")}
    number = 0
    for place, names in folders.items():
        place.mkdir(parents=True)
        for name in names:
            number += 1
            fronts[number % len(fronts)].resize((SIDE - number % 31, SIDE)).save(place / f"{name}.jpg")
    return folder
