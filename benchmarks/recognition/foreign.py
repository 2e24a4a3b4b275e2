"""Pictures of nothing that a catalogue of packages holds, made one by one from their number.

Even numbers are drawn scenes without a product; odd ones are crops of training pictures that no training and no fit has
seen: held-out package scans, frames and produce (`skuscan_models.training.sources` says which those are).
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skuscan.picture import fit_longest_side, load_picture
from skuscan_models.pictures import find_pictures
from skuscan_models.synthetic.field_view import nothing
from skuscan_models.synthetic.view_options import mixed
from skuscan_models.training.sources import VALIDATION_PHOTOS, part_of

SEED = 93
PHOTO_SIDES = (200, 640)  # px, longest side of a drawn photo
CROP_SHARES = (0.3, 0.9)  # of the picture's sides
LEAST_CROP = 64  # px

Picture = npt.NDArray[np.uint8]


def foreign_picture(number: int, train: Path) -> Picture:
    """Picture `number` of nothing, (H, W, 3) uint8 RGB; `train` is the folder of training pictures."""
    rng = np.random.default_rng((SEED, number))
    if number % 2:
        return _crop(rng, held_out(train))
    photo = nothing(rng, mixed(number // 2))
    return fit_longest_side(photo, int(rng.integers(*PHOTO_SIDES, endpoint=True)))


@lru_cache(maxsize=1)
def held_out(train: Path) -> tuple[Path, ...]:
    """Training pictures that are kept for validation."""
    boxes = [path for path in find_pictures(train / "boxes") if part_of(path.stem) == "validation"]
    frames = [
        path for path in find_pictures(train / "grozi120") if part_of(f"grozi-{path.parent.name}") == "validation"
    ]
    kinds = sorted(path for path in (train / "produce").iterdir() if path.is_dir())
    produce = [path for kind in kinds for path in find_pictures(kind)[-VALIDATION_PHOTOS:]]
    return (*boxes, *frames, *produce)


def _crop(rng: np.random.Generator, paths: tuple[Path, ...]) -> Picture:
    picture = load_picture(paths[int(rng.integers(len(paths)))])
    sides = np.array(picture.shape[:2])
    height, width = np.minimum(sides, np.maximum(LEAST_CROP, sides * rng.uniform(*CROP_SHARES, 2))).astype(int)
    top, left = rng.integers(0, sides - (height, width) + 1)
    return np.ascontiguousarray(picture[top : top + height, left : left + width])
