"""Whether a scan shows the very print of a reference: a small trained network compares the two, place by place.

Siblings of one brand share the logo, and so most keypoints; what differs is a word, a fruit, a band. Keypoints that are
missing in a photo say little, because most are missing in any photo. So, once a reference is registered in a scan:

1. `crop` cuts the same part out of both, 128 x 128 px;
2. `Likeness.encode` turns a crop into 16 x 16 places of 8 numbers (a few convolutions); of a reference their signs are
   stored, 256 bytes;
3. `Likeness.compare` holds the places against each other, and their neighbours, since registration is off by some
   pixels, and gives the logit that both are one print.

The network is trained on drawn siblings that verification registered, as a device meets them; see docs/decisions/0162.
Its comparison by places in a grid, with weights of its own for places that say nothing, is in the manner of Zagoruyko
and Komodakis 2015, "Learning to compare image patches via convolutional neural networks".
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO

import cv2
import numpy as np
import numpy.typing as npt

SIDE = 128  # px of a crop
GRID = 16  # places along a side
NUMBERS = 8  # of a place
CODE_BYTES = GRID * GRID * NUMBERS // 8
LEAST_CONTRAST = 8.0  # grey levels, added to a crop's standard deviation: noise is not blown up

_SHIFTS = tuple((down, across) for down in range(3) for across in range(3))  # of the scan's places, by up to one
_UNIT = np.diag([1 / SIDE, 1 / SIDE, 1.0])
_FINE = np.diag([0.5, 0.5, 1.0])  # a crop is cut at twice its size first: a warp alone would skip pixels

FloatArray = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]


def crop(rgb: Picture, placing: npt.NDArray[np.float64]) -> Picture:
    """(128, 128, 3) uint8: a part of a picture, made square.

    Args:
        rgb: (H, W, 3) uint8.
        placing: (3, 3) float64: the unit square -> the part, px of the picture.
    """
    cut = cv2.warpPerspective(
        rgb,
        placing @ _UNIT @ _FINE,
        (2 * SIDE, 2 * SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def network_input(crops: Picture) -> FloatArray:
    """(..., 128, 128, 3) uint8 -> float32 of no mean in any channel and one contrast: shop light is taken out."""
    values = crops.astype(np.float32)
    values -= values.mean(axis=(-3, -2), keepdims=True)
    contrast = np.sqrt((values * values).mean(axis=(-3, -2), keepdims=True)).mean(axis=-1, keepdims=True)
    return np.asarray(values / (contrast + np.float32(LEAST_CONTRAST)), np.float32)


@dataclass(frozen=True)
class Layer:
    """A convolution, and its rectifier unless it is the last one.

    Attributes:
        kernel: (k, k, channels, outputs) float32; k is 1 or 3, and one place of zeros stands around the picture for 3.
        bias: (outputs,) float32.
        stride: 1 or 2.
    """

    kernel: FloatArray
    bias: FloatArray
    stride: int

    def __call__(self, values: FloatArray) -> FloatArray:
        """(h, w, channels) float32 -> (h / stride, w / stride, outputs), before the rectifier."""
        size, step = self.kernel.shape[0], self.stride
        height, width = values.shape[0] // step, values.shape[1] // step
        if size == 3:
            around = np.pad(values, ((1, 1), (1, 1), (0, 0)))
            windows = [
                around[down : down + step * height : step, across : across + step * width : step]
                for down, across in _SHIFTS
            ]
            values = np.concatenate(windows, axis=2)
        flat = values.reshape(height * width, -1) @ self.kernel.reshape(-1, self.kernel.shape[3])
        return np.asarray((flat + self.bias).reshape(height, width, -1), np.float32)


@dataclass(frozen=True)
class Likeness:
    """The network.

    Attributes:
        encoder: From a crop to its places' numbers.
        judge: From what places have in common to two numbers each: a logit, and how much it counts.
        mix: (3,) float32: a constant, and how much the mean logit and the least ones count.
    """

    encoder: tuple[Layer, ...]
    judge: tuple[Layer, ...]
    mix: FloatArray

    def encode(self, crop_rgb: Picture) -> FloatArray:
        """(16, 16, 8) float32: the places' numbers.

        Args:
            crop_rgb: (128, 128, 3) uint8, as `crop` gives it.
        """
        return _through(self.encoder, network_input(crop_rgb))

    def compare(self, code: bytes, crop_rgb: Picture) -> float:
        """The logit that a crop of a scan shows the print of a reference.

        Args:
            code: 256 bytes, as `pack` makes them of the reference's crop.
            crop_rgb: (128, 128, 3) uint8, the same part of the scan.
        """
        reference = signs(code)
        logits, counts = np.moveaxis(_through(self.judge, common(reference, self.encode(crop_rgb))), 2, 0)
        weights = np.exp(counts - counts.max())
        mean = (weights * logits).sum() / weights.sum()
        lowest = -logits.min()  # the greatest of what is added up below, so that no sum overflows
        least = np.log(logits.size) - lowest - np.log(np.exp(-logits - lowest).sum())
        constant, of_mean, of_least = self.mix.tolist()
        return float(constant + of_mean * mean + of_least * least)


def pack(numbers: FloatArray) -> bytes:
    """The signs of a reference's numbers (16, 16, 8): a bit each."""
    return np.packbits(numbers >= 0).tobytes()


def signs(code: bytes) -> FloatArray:
    """(16, 16, 8) float32 of unit length at each place: what `pack` kept."""
    bits = np.unpackbits(np.frombuffer(code, np.uint8, CODE_BYTES)).astype(np.float32)
    return np.asarray((2 * bits - 1).reshape(GRID, GRID, NUMBERS) / np.float32(np.sqrt(NUMBERS)), np.float32)


def common(reference: FloatArray, scan: FloatArray) -> FloatArray:
    """(16, 16, 25) float32: of each place the cosines with the scan's there and around, and both places' numbers.

    Args:
        reference: (16, 16, 8) of unit length.
        scan: (16, 16, 8).
    """
    lengths = np.sqrt((scan * scan).sum(axis=2, keepdims=True))
    unit = scan / np.maximum(lengths, np.float32(1e-6))
    around = np.pad(unit, ((1, 1), (1, 1), (0, 0)))
    cosines = [
        np.einsum("hwc,hwc->hw", reference, around[down : down + GRID, across : across + GRID])
        for down, across in _SHIFTS
    ]
    return np.concatenate([np.stack(cosines, axis=2), reference, unit], axis=2)


@cache
def released_likeness() -> Likeness:
    """The network in use: `likeness.npz`, which `skuscan-models likeness` makes."""
    return load(files("skuscan").joinpath("likeness.npz").read_bytes())


def load(data: bytes) -> Likeness:
    """Read what `save` of `skuscan_models.likeness` wrote."""
    with np.load(BytesIO(data), allow_pickle=False) as saved:
        layers = {
            part: tuple(
                Layer(
                    saved[f"{part}-{number}-kernel"].astype(np.float32),
                    saved[f"{part}-{number}-bias"].astype(np.float32),
                    int(stride),
                )
                for number, stride in enumerate(saved[f"{part}-strides"])
            )
            for part in ("encoder", "judge")
        }
        return Likeness(layers["encoder"], layers["judge"], saved["mix"].astype(np.float32))


def _through(layers: tuple[Layer, ...], values: FloatArray) -> FloatArray:
    *first, last = layers
    for layer in first:
        values = np.maximum(layer(values), 0)
    return last(values)
