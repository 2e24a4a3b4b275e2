"""Networks made of inverted residual blocks, in Keras 3: what EfficientNet-Lite and the MobileNets have in common.

Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks": a 1x1 convolution widens, a depthwise one
looks around, a 1x1 one narrows again without an activation. One table per network, one builder.

Layers are named `stem_conv`, `block3_depthwise_bn`, `head_conv`: readable in the .tflite, and the names under which
weights are filled in, rounded and frozen. A name may not begin with `_`: TensorFlow's converter fails on those.
"""

from dataclasses import dataclass

import keras
from keras import layers

CHANNELS = 3  # RGB
BATCH_NORM_EPSILON = 1e-3
BATCH_NORM_MOMENTUM = 0.99


@dataclass(frozen=True)
class Stage:
    """A run of blocks; only the first of them strides.

    Attributes:
        repeats: Blocks in the stage.
        kernel: Side of the depthwise kernel, px.
        stride: Of the first block.
        expansion: Channels inside a block over channels at its input; 1: the block has no widening convolution.
        channels: At the output.
    """

    repeats: int
    kernel: int
    stride: int
    expansion: float
    channels: int


@dataclass(frozen=True)
class Layout:
    """A network from a picture to its last feature map.

    Attributes:
        name: Of the network.
        stem: Channels of the first convolution, 3x3 with stride 2.
        stages: In order.
        head: Channels of the last convolution, 1x1.
        ceiling: Where its ReLUs stop: 6, or None for nowhere.
    """

    name: str
    stem: int
    stages: tuple[Stage, ...]
    head: int
    ceiling: float | None

    def build(self, size: int | None) -> keras.Model:
        """The network, untrained.

        Args:
            size: Side of the square input, px; a multiple of 32. None: any.

        Returns:
            A model (n, size, size, 3) float32 of `(pixel - 127) / 128` -> (n, size/32, size/32, head) float32 >= 0.
        """
        picture = keras.Input((size, size, CHANNELS), name="picture")
        x = self._conv(picture, "stem", self.stem, kernel=3, stride=2)
        index = 0
        for stage in self.stages:
            for repeat in range(stage.repeats):
                x = self._block(x, f"block{index}", stage, stride=stage.stride if repeat == 0 else 1)
                index += 1
        return keras.Model(picture, self._conv(x, "head", self.head), name=self.name)

    def _block(self, x: keras.KerasTensor, name: str, stage: Stage, stride: int) -> keras.KerasTensor:
        shortcut = x
        channels = x.shape[-1]
        if stage.expansion != 1:
            x = self._conv(x, f"{name}_expand", round(channels * stage.expansion))
        x = layers.DepthwiseConv2D(
            stage.kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
        )(x)
        x = self._relu(_batch_norm(x, f"{name}_depthwise"), f"{name}_depthwise")
        x = self._conv(x, f"{name}_project", stage.channels, activation=False)
        if stride == 1 and channels == stage.channels:
            x = layers.Add(name=f"{name}_add")([x, shortcut])
        return x

    def _conv(
        self, x: keras.KerasTensor, name: str, channels: int, kernel: int = 1, stride: int = 1, activation: bool = True
    ) -> keras.KerasTensor:
        x = layers.Conv2D(channels, kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
        x = _batch_norm(x, name)
        return self._relu(x, name) if activation else x

    def _relu(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.ReLU(max_value=self.ceiling, name=f"{name}_relu")(x)


def _batch_norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=f"{name}_bn")(x)
