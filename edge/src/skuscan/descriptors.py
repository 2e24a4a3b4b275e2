"""What a keypoint's surroundings look like, in 160 bits that a small trained network writes.

ORB says where a keypoint is, how large and which way up (`keypoint_extraction.py`). Here its patch is cut out and
described:

1. a pyramid of the grey picture at half its size, one level an octave;
2. 16 x 16 samples of each keypoint's level, turned with the keypoint, over 60 px at the keypoint's own scale;
3. their mean taken off, and scaled to one contrast;
4. two layers of integer weights; the signs of the second one's outputs are the bits.

Bits of a network that was trained on pairs of patches tell more than ORB's comparisons of two pixels (in the manner of
Balntas et al. 2016, "Learning local feature descriptors with triplets and shallow convolutional neural networks", and
Strecha et al. 2012, "LDAHash"). Weights and inputs are small whole numbers, whose products and sums float32 holds
exactly: the bits are the same on every processor, in whatever order a library adds.
"""

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO

import cv2
import numpy as np
import numpy.typing as npt

DESCRIPTOR_BYTES = 20
SAMPLES = 16  # a side of a patch
PATCH_EXTENT = 60.0  # px at the keypoint's own scale, a side of a patch; twice ORB's patch; see docs/decisions/0157
CONTRAST = 32.0  # steps of the network's input, one standard deviation of a patch
LEAST_CONTRAST = 4.0  # grey levels, added to the standard deviation: noise is not blown up
INPUT_LIMIT = 127  # steps

_TURNS = 64  # directions in which patches are cut out
_SUBPIXELS = 32  # of a sample's place in a pixel: what OpenCV tells apart
_MARGIN = math.ceil(PATCH_EXTENT / 4 * math.sqrt(2)) + 2  # px around a level: half a patch's diagonal at half the size
_AT_ONCE = 512  # patches: what a processor's cache holds

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class DescriptorWeights:
    """The network: `bits = (floor(clip(x @ hidden + hidden_bias, 0) / 2^shift) @ last + last_bias) > 0`.

    All are whole numbers, kept as float32.

    Attributes:
        hidden: (256, h), within +-127.
        hidden_bias: (h,).
        shift: What is left of a hidden sum is at most 127, by a cut.
        last: (h, 160), within +-127.
        last_bias: (160,).
    """

    hidden: FloatArray
    hidden_bias: FloatArray
    shift: int
    last: FloatArray
    last_bias: FloatArray

    def bits(self, inputs: FloatArray) -> npt.NDArray[np.bool_]:
        """(N, 256) whole numbers within +-127 -> (N, 160) bool."""
        sums = inputs @ self.hidden
        sums += self.hidden_bias
        sums *= np.float32(2.0**-self.shift)
        np.floor(sums, out=sums)
        np.clip(sums, 0, INPUT_LIMIT, out=sums)
        return np.asarray(sums @ self.last + self.last_bias > 0)


@cache
def released_weights() -> DescriptorWeights:
    """The weights of this extractor's version: `descriptors.npz`, which `skuscan-models descriptor` makes."""
    data = files("skuscan").joinpath("descriptors.npz").read_bytes()
    with np.load(BytesIO(data), allow_pickle=False) as saved:
        hidden, hidden_bias, last, last_bias = (
            saved[name].astype(np.float32) for name in ("hidden", "hidden_bias", "last", "last_bias")
        )
        return DescriptorWeights(hidden, hidden_bias, int(saved["shift"]), last, last_bias)


def describe(
    grey: ByteArray,
    xy: FloatArray,
    octaves: ByteArray,
    angles: FloatArray,
    scale_factor: float,
) -> ByteArray:
    """(N, 20) uint8: the bits of N keypoints.

    Args:
        grey: (H, W) uint8, the frame that the keypoints were found in.
        xy: (N, 2) float32, px.
        octaves: (N,) uint8.
        angles: (N,) float32, degrees.
        scale_factor: Of one octave.
    """
    weights = released_weights()
    cut = cut_patches(grey, xy, octaves, angles, scale_factor)
    parts = [weights.bits(network_input(cut[i : i + _AT_ONCE])) for i in range(0, len(cut), _AT_ONCE)]
    bits = np.concatenate(parts) if parts else np.zeros((0, 8 * DESCRIPTOR_BYTES), np.bool_)
    return np.packbits(bits, axis=1)


def cut_patches(
    grey: ByteArray, xy: FloatArray, octaves: ByteArray, angles: FloatArray, scale_factor: float
) -> ByteArray:
    """(N, 256) uint8: the keypoints' patches, row by row, upright. Arguments as `describe` has them."""
    if not len(xy):
        return np.zeros((0, SAMPLES * SAMPLES), np.uint8)
    atlas, places = _atlas(grey, int(octaves.max()) + 1, scale_factor)
    origin, scale = places[octaves, :2], places[octaves, 2:]
    centres = _whole_subpixels((xy + np.float32(0.5)) * scale - np.float32(0.5) + origin)
    turns = np.rint(angles * np.float32(_TURNS / 360)).astype(np.intp) % _TURNS
    across, down = (grid[turns] for grid in _grids())
    across += centres[:, :1]
    down += centres[:, 1:]
    # Between pixels OpenCV 4 and 5 round differently, but for places given as whole numbers.
    pixels, parts = cv2.convertMaps(across, down, cv2.CV_16SC2)
    return np.asarray(cv2.remap(atlas, pixels, parts, cv2.INTER_LINEAR), np.uint8)


def network_input(patches: ByteArray) -> FloatArray:
    """(N, 256) uint8 patches -> (N, 256) float32 whole numbers within +-127: one mean, one contrast."""
    values = patches.astype(np.float32)
    count = np.float32(values.shape[1])
    # Sums of bytes and of their squares are exact: 256 * 255^2 is below 2^24.
    mean = values.sum(axis=1, keepdims=True) / count
    squares = np.einsum("ij,ij->i", values, values)[:, None] / count
    values -= mean
    values *= np.float32(CONTRAST) / (np.sqrt(np.maximum(squares - mean * mean, 0)) + np.float32(LEAST_CONTRAST))
    np.rint(values, out=values)
    return np.clip(values, -INPUT_LIMIT, INPUT_LIMIT, out=values)


def _atlas(grey: ByteArray, levels: int, scale_factor: float) -> tuple[ByteArray, FloatArray]:
    """The pyramid in one picture, its levels below each other with a margin, and where each is.

    (levels, 4) float32: x and y of a level's first pixel in the atlas, and its size over the frame's, across and down.
    """
    height, width = grey.shape
    sizes = [
        tuple(max(1, round(side / (2 * scale_factor**level))) for side in (width, height)) for level in range(levels)
    ]
    atlas = np.empty((sum(down + 2 * _MARGIN for _, down in sizes), sizes[0][0] + 2 * _MARGIN), np.uint8)
    places = np.empty((levels, 4), np.float32)
    top, level_above = 0, grey
    for level, (across, down) in enumerate(sizes):
        smaller = cv2.resize(level_above, (across, down), interpolation=cv2.INTER_LINEAR if level else cv2.INTER_AREA)
        rows = slice(top, top + down + 2 * _MARGIN)
        smooth = cv2.GaussianBlur(smaller, (3, 3), 0)
        atlas[rows, : across + 2 * _MARGIN] = cv2.copyMakeBorder(
            smooth, _MARGIN, _MARGIN, _MARGIN, _MARGIN, cv2.BORDER_REPLICATE
        )
        places[level] = (_MARGIN, top + _MARGIN, across / width, down / height)
        top, level_above = rows.stop, np.asarray(smaller, np.uint8)
    return atlas, places


@cache
def _grids() -> FloatArray:
    """(2, 64, 256) float32: x and y of the samples around a keypoint for each turn, px of a level at half the size."""
    steps = ((np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5) * PATCH_EXTENT / 2
    across, down = (part.ravel() for part in np.meshgrid(steps, steps))
    grids = np.empty((2, _TURNS, SAMPLES * SAMPLES), np.float32)
    for turn in range(_TURNS):
        cos, sin = math.cos(2 * math.pi * turn / _TURNS), math.sin(2 * math.pi * turn / _TURNS)
        grids[0, turn], grids[1, turn] = cos * across - sin * down, sin * across + cos * down
    return _whole_subpixels(grids)


def _whole_subpixels(places: FloatArray) -> FloatArray:
    """Moved to the next 32nd of a pixel."""
    return np.asarray(np.rint(places * np.float32(_SUBPIXELS)) / np.float32(_SUBPIXELS), np.float32)
