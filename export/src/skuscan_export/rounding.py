"""Rounds a network's weights to int8 so that the layers' outputs, not the weights, stay close.

Rounding each weight to the nearest step is not best: neighbouring pixels are nearly equal, so errors that agree in
sign add up. The first depthwise layer, whose taps nearly cancel, costs dark blurred pictures 1% of the final cosine
that way: more than all activations of the network together. After a ReLU all inputs are positive, so errors add up in
the 1x1 layers, too. Here the steps w of each filter minimise (w - v)' H (w - v), with v the exact weights and H the
second moment of the filter's inputs on calibration pictures: the layer-wise objective of Nagel et al. 2020, "Up or
Down? Adaptive Rounding for Post-Training Quantization", solved by coordinate descent (Behdin et al. 2023, "QuantEase").

Workflow:
1. Run the float network over the calibration pictures and collect H of every convolution.
2. Fold each one's batch norm into it, and round the kernel on the grid that the converter will choose itself:
   a scale per output channel, the largest weight at 127 steps. That weight is pinned, so the converter's grid is ours.
3. Put the rounded kernel back, behind a batch norm that only adds the bias. The converter's own rounding then finds
   whole steps and changes nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # importing it needs keras
    from skuscan_models.backbones import Backbone


MAX_STEPS = 127  # of an int8 weight, symmetric
SWEEPS = 8  # over all weights of a filter; later ones change almost nothing
BATCH = 8  # pictures at once
WINDOWS_PER_BATCH = 4096  # input windows looked at per layer and batch
DAMPING = 0.01  # of H's mean diagonal, added to it: inputs that calibration does not show are not free

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Convolution:
    """A convolution with its batch norm: `x` and `x_bn` by the backbones' naming."""

    name: str
    kernel: Array  # folded; dense (taps, out), depthwise (taps, channels)
    bias: Array  # folded, (out,)
    depthwise: bool


def round_weights(model: "Backbone", inputs: npt.NDArray[np.float32], seed: int) -> None:
    """Replace the weights of a backbone's convolutions, in place, by ones on the int8 grid.

    Every `x_conv` must be followed by a batch norm `x_bn`, as in `skuscan_models.inverted_residuals`.

    Args:
        model: The float network.
        inputs: (n, S, S, 3) float32 calibration pictures as the network takes them.
        seed: Of the choice of windows.
    """
    names = [layer.name for layer in model.layers if layer.name.endswith("_conv")]
    moments = _second_moments(model, names, inputs, np.random.default_rng(seed))
    for name, moment in zip(names, moments, strict=True):
        convolution = _fold(model, name)
        rounded = round_filters(convolution.kernel, moment)
        _put_back(model, convolution, rounded)


def round_filters(kernel: Array, moment: Array) -> Array:
    """Round filters to a grid of their own.

    Args:
        kernel: (taps, filters), a filter a column.
        moment: Second moment of the inputs, (taps, taps) shared by all filters, or (filters, taps, taps).

    Returns:
        (taps, filters): whole multiples of each column's largest magnitude / 127; that largest weight is unchanged.
    """
    scale = np.abs(kernel).max(axis=0) / MAX_STEPS
    scale[scale == 0] = 1
    exact = kernel / scale
    steps = np.rint(exact)
    pinned = np.abs(exact).argmax(axis=0)
    for _ in range(SWEEPS):
        before = steps.copy()
        _sweep(steps, exact, moment, pinned)
        if np.array_equal(before, steps):
            break
    return np.asarray(steps * scale)


def _sweep(steps: Array, exact: Array, moment: Array, pinned: npt.NDArray[np.intp]) -> None:
    """Once over all taps: each takes the step that is best while the others stay."""
    error = steps - exact
    shared = moment.ndim == 2
    gradient = moment @ error if shared else np.einsum("ftu,uf->tf", moment, error)
    for tap in range(len(steps)):
        column = moment[:, tap][:, np.newaxis] if shared else moment[:, :, tap].T
        diagonal = moment[tap, tap] if shared else moment[:, tap, tap]
        best = np.rint(steps[tap] - gradient[tap] / diagonal)
        change = np.where(pinned == tap, 0, np.clip(best, -MAX_STEPS, MAX_STEPS) - steps[tap])
        moved = np.flatnonzero(change)
        steps[tap, moved] += change[moved]
        gradient[:, moved] += (column if shared else column[:, moved]) * change[moved]


def _second_moments(
    model: "Backbone", names: Sequence[str], inputs: npt.NDArray[np.float32], rng: np.random.Generator
) -> list[Array]:
    import keras

    layers = [model.get_layer(name) for name in names]
    probe = keras.Model(model.input, [layer.input for layer in layers])
    sums: list[Array | float] = [0.0] * len(names)
    for start in range(0, len(inputs), BATCH):
        maps = probe.predict_on_batch(inputs[start : start + BATCH])
        for i, (layer, activations) in enumerate(zip(layers, maps, strict=True)):
            windows = _windows(np.asarray(activations), int(layer.kernel_size[0]), rng)
            sums[i] += _moment(windows, layer.name.endswith("_depthwise_conv"))
    return [_damped(np.asarray(total, np.float64)) for total in sums]


def _windows(activations: npt.NDArray[np.float32], side: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A random choice of a map's windows, none twice: (n, h, w, c) -> (windows, side * side, c)."""
    missing = max(0, side - min(activations.shape[1:3]))  # a map smaller than its kernel: the zeros around it count
    activations = np.pad(activations, ((0, 0), (missing, missing), (missing, missing), (0, 0)))
    batch, height, width, channels = activations.shape
    places = (batch, height - side + 1, width - side + 1)
    chosen = rng.permutation(math.prod(places))[:WINDOWS_PER_BATCH]
    picture, top, left = np.unravel_index(chosen, places)
    taps = [activations[picture, top + y, left + x] for y in range(side) for x in range(side)]
    return np.stack(taps, axis=1).reshape(len(chosen), side * side, channels)


def _moment(windows: npt.NDArray[np.float32], depthwise: bool) -> Array:
    if depthwise:
        per_channel = windows.transpose(2, 1, 0)
        return np.asarray(per_channel @ per_channel.transpose(0, 2, 1), np.float64)
    flat = windows.reshape(len(windows), -1)
    return np.asarray(flat.T @ flat, np.float64)


def _damped(moment: Array) -> Array:
    taps = moment.shape[-1]
    mean = np.trace(moment, axis1=-2, axis2=-1) / taps
    floor = DAMPING * mean + np.finfo(np.float64).tiny
    return np.asarray(moment + np.multiply.outer(floor, np.eye(taps)))


def _fold(model: "Backbone", name: str) -> _Convolution:
    (kernel,) = model.get_layer(name).get_weights()
    norm = model.get_layer(_norm_name(name))
    gamma, beta, mean, variance = (weights.astype(np.float64) for weights in norm.get_weights())
    factor = gamma / np.sqrt(variance + norm.epsilon)
    depthwise = name.endswith("_depthwise_conv")
    taps = kernel.reshape(-1, kernel.shape[2] if depthwise else kernel.shape[3]).astype(np.float64)
    return _Convolution(name, taps * factor, beta - mean * factor, depthwise)


def _put_back(model: "Backbone", convolution: _Convolution, rounded: Array) -> None:
    layer, norm = model.get_layer(convolution.name), model.get_layer(_norm_name(convolution.name))
    (kernel,) = layer.get_weights()
    layer.set_weights([rounded.reshape(kernel.shape).astype(np.float32)])
    one, zero = np.ones_like(convolution.bias), np.zeros_like(convolution.bias)
    norm.set_weights([one, convolution.bias, zero, one - norm.epsilon])


def _norm_name(convolution: str) -> str:
    return convolution.removesuffix("_conv") + "_bn"
