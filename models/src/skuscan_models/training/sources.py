"""Where training pictures come from: instances, and which of them are kept aside for validation.

    boxes       package scans, one picture each: views are drawn
    open-boxes  those of them whose data set states a licence
    grozi120    crops of supermarket video frames, several an instance
    produce     photos of fruit and vegetables, several a kind
    drawn       this project's own packaging, drawn as it is needed: as many instances as anybody wants

An instance belongs to training or to validation by a hash of its key, so that both sides stay the same when pictures
are added. Produce has few kinds, which are not held out: some photos of each are.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from skuscan.picture import fit_longest_side, load_picture
from skuscan_models.pictures import find_pictures

VALIDATION_SHARE = 8  # one instance of so many is kept aside
VALIDATION_PHOTOS = 3  # of each kind of produce
OPEN_BOXES = ("manga_", "shelfcrop_")
LONGEST_SIDE = 320  # px: pictures are kept at no more

Part = Literal["train", "validation"]
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Instance:
    """One product, or one kind of produce.

    Attributes:
        key: Unique over all sources.
        family: Instances of one family look alike; a batch takes several of one.
        alike: Instances of one family may even be the same design, so that they are no negatives of each other.
        pictures: One front to draw views of, or several photos.
    """

    key: str
    family: str
    alike: bool
    pictures: tuple[Picture, ...]


def part_of(key: str) -> Part:
    """The side that an instance is on."""
    return "validation" if zlib.crc32(key.encode()) % VALIDATION_SHARE == 0 else "train"


def load_boxes(folder: Path, part: Part, only_open: bool = False) -> list[Instance]:
    """Package scans in `folder`/boxes, each a front."""
    instances = []
    for path in find_pictures(folder / "boxes"):
        if part_of(path.stem) == part and (not only_open or path.name.startswith(OPEN_BOXES)):
            family = _family(path.stem)
            alike = path.name.startswith("shelfcrop_")  # some are one design in two sizes
            instances.append(Instance(path.stem, family, alike, (load_small(path),)))
    return instances


def load_grozi(folder: Path, part: Part) -> list[Instance]:
    """A folder an instance in `folder`/grozi120."""
    folders = sorted(path for path in (folder / "grozi120").iterdir() if path.is_dir())
    return [
        Instance(f"grozi-{path.name}", "grozi", False, tuple(load_small(p) for p in find_pictures(path)))
        for path in folders
        if part_of(f"grozi-{path.name}") == part
    ]


def load_produce(folder: Path, part: Part) -> list[Instance]:
    """A folder a kind in `folder`/produce; of each kind the last photos are kept aside."""
    instances = []
    for path in sorted(path for path in (folder / "produce").iterdir() if path.is_dir()):
        photos = find_pictures(path)
        chosen = photos[:-VALIDATION_PHOTOS] if part == "train" else photos[-VALIDATION_PHOTOS:]
        instances.append(Instance(f"produce-{path.name}", "produce", False, tuple(map(load_small, chosen))))
    return instances


def load_sources(names: Sequence[str], folder: Path | None, part: Part) -> dict[str, list[Instance]]:
    """The sources that are files. `folder` may be None when only drawn packaging is asked for.

    Raises:
        PictureError: A folder holds no pictures, or one that cannot be used.
    """
    loaded: dict[str, list[Instance]] = {}
    if folder is None:
        return loaded
    if "boxes" in names:
        loaded["boxes"] = load_boxes(folder, part)
    if "open-boxes" in names:
        loaded["open-boxes"] = load_boxes(folder, part, only_open=True)
    if "grozi120" in names:
        loaded["grozi120"] = load_grozi(folder, part)
    if "produce" in names:
        loaded["produce"] = load_produce(folder, part)
    return loaded


def load_small(source: Path | bytes) -> Picture:
    """A picture at no more than `LONGEST_SIDE`. Raises PictureError."""
    picture = load_picture(source)
    return fit_longest_side(picture, LONGEST_SIDE) if max(picture.shape[:2]) > LONGEST_SIDE else picture


def _family(stem: str) -> str:
    """Games of one console share much of their design, as do snacks, teas and volumes of one series."""
    kind, *rest = stem.split("_")
    return "_".join((kind, *rest[:2])) if kind == "game" else kind
