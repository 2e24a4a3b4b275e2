"""Gives the channels of a network's residual streams ranges that are alike, so that one int8 scale suits all of them.

A stream is what blocks add to: the outputs of project convolutions, which have no activation, up to the convolutions
that read their sum. A channel there can be made larger by any factor if its readers' weights are made smaller by it:
the network computes the same, and the tensor's quantisation step, which its widest channel decides, no longer drowns
the others. Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", do it for pairs
of layers; between ReLU6s only the streams may be scaled. Rounding by the inputs (`rounding.py`) comes after.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # importing it needs keras
    from skuscan_models.backbones import Backbone

BATCH = 8  # pictures at once
LEAST = 1 / 32  # of the widest channel's range: one that calibration hardly shows is not blown up further


@dataclass(frozen=True)
class Stream:
    """Blocks that add to one another.

    Attributes:
        writers: Batch norms at the ends of the blocks.
        sums: Layers whose outputs the stream takes on.
        readers: 1x1 convolutions that read it.
    """

    writers: list[str]
    sums: list[str]
    readers: list[str]


def streams(model: "Backbone") -> list[Stream]:
    """In order, by the names that `skuscan_models.inverted_residuals` gives."""
    names = {layer.name for layer in model.layers}
    found: list[Stream] = []
    for number in range(len(names)):
        block = f"block{number}"
        if f"{block}_project_bn" not in names:
            break
        if found:
            found[-1].readers.append(f"{block}_expand_conv")
        if f"{block}_add" in names:
            found[-1].writers.append(f"{block}_project_bn")
            found[-1].sums.append(f"{block}_add")
        else:
            found.append(Stream([f"{block}_project_bn"], [f"{block}_project_bn"], []))
    if found:
        found[-1].readers.append("head_conv")
    # A block without a widening convolution reads its stream by its depthwise one, under ReLU6: not to be scaled.
    return [stream for stream in found if names.issuperset(stream.readers)]


def equalise_streams(model: "Backbone", inputs: npt.NDArray[np.float32]) -> None:
    """Rescale every stream's channels, in place; what the network computes stays, but for float rounding.

    Args:
        model: The float network, made of inverted residual blocks.
        inputs: (n, S, S, 3) float32 calibration pictures as the network takes them.
    """
    for stream in streams(model):
        ranges = _ranges(model, stream, inputs)
        share = np.maximum(ranges / ranges.max(), LEAST)
        for name in stream.writers:
            norm = model.get_layer(name)
            gamma, beta, *statistics = norm.get_weights()
            norm.set_weights([gamma / share, beta / share, *statistics])
        for name in stream.readers:
            layer = model.get_layer(name)
            (kernel,) = layer.get_weights()
            layer.set_weights([kernel * share[:, np.newaxis]])


def _ranges(model: "Backbone", stream: Stream, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The greatest magnitude of each channel, (c,)."""
    import keras

    greatest: npt.NDArray[np.float32] | float = 0.0
    probe = keras.Model(model.input, {name: model.get_layer(name).output for name in stream.sums})
    for start in range(0, len(inputs), BATCH):
        for outputs in probe.predict_on_batch(inputs[start : start + BATCH]).values():
            greatest = np.maximum(greatest, np.abs(np.asarray(outputs)).max(axis=(0, 1, 2)))
    return np.asarray(greatest, np.float32)
