"""Features of the wire's size and kind that mean nothing: they do not compress, and no two are alike."""

import numpy as np

from skuscan.appearance import CELLS, Appearance
from skuscan.descriptors import DESCRIPTOR_BYTES
from skuscan.keypoints import Keypoints

KEYPOINTS = 150  # of a usual reference
_OCTAVES = 4  # of the eight that there may be
_TURN = 360.0  # degrees


def random_keypoints(rng: np.random.Generator, count: int, width: int, height: int) -> Keypoints:
    """So many keypoints, anywhere in a picture of that size, px."""
    return Keypoints(
        (rng.random((count, 2)) * (width, height)).astype(np.float32),
        rng.integers(0, 256, (count, DESCRIPTOR_BYTES), np.uint8),
        rng.integers(0, _OCTAVES, count, np.uint8),
        (rng.random(count) * _TURN).astype(np.float32),
        width,
        height,
    )


def random_appearance(rng: np.random.Generator, box: tuple[int, int, int, int]) -> Appearance:
    """A print of random colours in a box of the picture: left, top, right, bottom, px."""
    colours = (rng.random((CELLS, CELLS, 3)) * 255).astype(np.float32)
    return Appearance(box, colours, np.ones((CELLS, CELLS), np.bool_))
