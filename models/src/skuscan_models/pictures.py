"""Pictures for fitting, calibration and parity, through the same preprocessing as on a device."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skuscan.errors import PictureError
from skuscan.picture import letterbox, load_picture
from skuscan.proto.bundle_pb2 import PreprocessSpec

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


def find_pictures(folder: Path) -> list[Path]:
    """Every picture below a folder, in the order of their names. Raises PictureError when there is none."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise PictureError("the folder holds pictures", str(folder))
    return found


def choose_pictures(folder: Path, count: int, seed: int) -> list[Path]:
    """A seeded choice of at most `count` pictures, in the order of their names."""
    paths = find_pictures(folder)
    chosen = np.random.default_rng(seed).permutation(len(paths))[:count]
    return [paths[i] for i in sorted(chosen)]


def load_letterboxed(paths: Sequence[Path], preprocess: PreprocessSpec) -> npt.NDArray[np.uint8]:
    """Files as the network's squares: (n, S, S, 3) uint8 RGB."""
    size, grey = preprocess.size, preprocess.letterbox_grey
    return np.stack([letterbox(load_picture(path), size, grey) for path in paths])


def to_network(pixels: npt.NDArray[np.uint8], preprocess: PreprocessSpec) -> npt.NDArray[np.float32]:
    """Pixels as the float network takes them: `(pixel - offset) / scale`, float32 of the same shape."""
    return ((pixels.astype(np.float32) - preprocess.offset) / preprocess.scale).astype(np.float32)
