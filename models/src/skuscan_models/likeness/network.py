"""The network that compares two crops, as it is trained, and its weights as devices compute with them."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from skuscan.likeness import GRID, NUMBERS, SIDE, Layer, Likeness

ENCODER = ((16, 2), (32, 2), (48, 2), (64, 1))  # outputs and stride of the encoder's convolutions of 3 x 3
JUDGE = 32  # outputs of the judge's layers
JUDGE_CONVOLUTIONS = 2  # of 3 x 3

FloatArray = npt.NDArray[np.float32]


@keras.saving.register_keras_serializable("skuscan")
class Signs(layers.Layer):  # type: ignore[misc]  # keras has no types
    """Signs over the root of their number; backwards a tanh (Bengio et al. 2013, the straight-through estimator)."""

    def call(self, values: Any) -> Any:
        """(n, h, w, c) -> the same shape."""
        smooth = ops.tanh(values)
        hard = ops.where(smooth >= 0, 1.0, -1.0)
        return (smooth + ops.stop_gradient(hard - smooth)) / NUMBERS**0.5


@keras.saving.register_keras_serializable("skuscan")
class Common(layers.Layer):  # type: ignore[misc]
    """What two grids of places have in common; see `skuscan.likeness.common`."""

    def call(self, reference: Any, scan: Any) -> Any:
        """Two times (n, 16, 16, 8), of unit length at each place -> (n, 16, 16, 25)."""
        around = ops.pad(scan, ((0, 0), (1, 1), (1, 1), (0, 0)))
        cosines = [
            ops.sum(reference * around[:, down : down + GRID, across : across + GRID], axis=3, keepdims=True)
            for down in range(3)
            for across in range(3)
        ]
        return ops.concatenate([*cosines, reference, scan], axis=3)


@keras.saving.register_keras_serializable("skuscan")
class Verdict(layers.Layer):  # type: ignore[misc]
    """One logit of all places: their weighted mean, and the least of them, since siblings differ in few places."""

    def build(self, _: Any) -> None:
        """Makes the three weights of the mixture."""
        start = keras.initializers.Constant([0.0, 1.0, 1.0])
        self.mix = self.add_weight(shape=(3,), initializer=start, name="mix")

    def call(self, places: Any) -> Any:
        """(n, 16, 16, 2) -> (n, 1)."""
        flat = ops.reshape(places, (-1, GRID * GRID, 2))
        logits, counts = flat[..., 0], flat[..., 1]
        mean = ops.sum(ops.softmax(counts, axis=1) * logits, axis=1)
        least = np.log(GRID * GRID) - ops.logsumexp(-logits, axis=1)
        return ops.expand_dims(self.mix[0] + self.mix[1] * mean + self.mix[2] * least, 1)


def likeness_network() -> keras.Model:
    """Two times (n, 128, 128, 3) of `network_input`, of references and of scans -> (n, 1) logits."""
    reference, scan = layers.Input((SIDE, SIDE, 3)), layers.Input((SIDE, SIDE, 3))
    encoder, judge = _encoder(), _judge()
    of_scan = layers.UnitNormalization(axis=-1)(encoder(scan))
    common = Common()(Signs()(encoder(reference)), of_scan)
    return keras.Model([reference, scan], Verdict(name="verdict")(judge(common)))


def device_weights(network: keras.Model) -> Likeness:
    """The same network without batch normalisation, which becomes a part of the convolutions before it."""
    encoder, judge = (network.get_layer(name) for name in ("encoder", "judge"))
    mix = np.asarray(network.get_layer("verdict").get_weights()[0], np.float32)
    return Likeness(_layers(encoder), _layers(judge), mix)


def _encoder() -> keras.Model:
    blocks = [layer for outputs, stride in ENCODER for layer in _block(outputs, 3, stride)]
    return keras.Sequential([layers.Input((SIDE, SIDE, 3)), *blocks, layers.Conv2D(NUMBERS, 1)], name="encoder")


def _judge() -> keras.Model:
    channels = 9 + 2 * NUMBERS
    blocks = [*_block(JUDGE, 1, 1), *(layer for _ in range(JUDGE_CONVOLUTIONS) for layer in _block(JUDGE, 3, 1))]
    return keras.Sequential([layers.Input((GRID, GRID, channels)), *blocks, layers.Conv2D(2, 1)], name="judge")


def _block(outputs: int, size: int, stride: int) -> list[keras.Layer]:
    around = [layers.ZeroPadding2D(1)] if size == 3 else []  # "same" would pad one side only where it strides
    convolution = layers.Conv2D(outputs, size, stride, use_bias=False, kernel_initializer="he_normal")
    return [*around, convolution, layers.BatchNormalization(momentum=0.97), layers.ReLU()]


def _layers(part: keras.Model) -> tuple[Layer, ...]:
    found: list[Layer] = []
    for layer in part.layers:
        if isinstance(layer, layers.Conv2D):
            kernel, *bias = layer.get_weights()
            found.append(Layer(kernel, bias[0] if bias else np.zeros(kernel.shape[3], np.float32), layer.strides[0]))
        elif isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            factor = gamma / np.sqrt(variance + layer.epsilon)
            found[-1] = Layer(found[-1].kernel * factor, beta - mean * factor, found[-1].stride)
    return tuple(found)
