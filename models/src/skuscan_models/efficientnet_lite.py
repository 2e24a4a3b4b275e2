"""EfficientNet-Lite0 in Keras 3, up to its last feature map.

Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", in the Lite form that
Google made for int8: no squeeze-and-excite, ReLU6 for swish, and a stem and a head that do not scale
(https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite).

Layers are named `stem_conv`, `block3_depthwise_bn`, `head_conv`: readable in the .tflite, and the names under which
`skuscan_models.pretrained` fills in weights. A name may not begin with `_`: TensorFlow's converter fails on those.
"""

from dataclasses import dataclass

import keras
from keras import layers

CHANNELS = 3  # RGB
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
BATCH_NORM_EPSILON = 1e-3
BATCH_NORM_MOMENTUM = 0.99
RELU6_MAX = 6.0


@dataclass(frozen=True)
class Stage:
    """A run of inverted residual blocks; only the first of them strides.

    Attributes:
        repeats: Blocks in the stage.
        kernel: Side of the depthwise kernel, px.
        stride: Of the first block.
        expansion: Channels inside a block over channels at its input.
        channels: At the output.
    """

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


LITE0_STAGES = (
    Stage(repeats=1, kernel=3, stride=1, expansion=1, channels=16),
    Stage(repeats=2, kernel=3, stride=2, expansion=6, channels=24),
    Stage(repeats=2, kernel=5, stride=2, expansion=6, channels=40),
    Stage(repeats=3, kernel=3, stride=2, expansion=6, channels=80),
    Stage(repeats=3, kernel=5, stride=1, expansion=6, channels=112),
    Stage(repeats=4, kernel=5, stride=2, expansion=6, channels=192),
    Stage(repeats=1, kernel=3, stride=1, expansion=6, channels=320),
)


def efficientnet_lite0(size: int) -> keras.Model:
    """The network from a picture to its feature map.

    Args:
        size: Side of the square input, px; a multiple of 32.

    Returns:
        A model (n, size, size, 3) float32 of `(pixel - 127) / 128` -> (n, size/32, size/32, 1280) float32 >= 0.
    """
    picture = keras.Input((size, size, CHANNELS), name="picture")
    x = _conv(picture, "stem", STEM_CHANNELS, kernel=3, stride=2)
    index = 0
    for stage in LITE0_STAGES:
        for repeat in range(stage.repeats):
            x = _block(x, f"block{index}", stage, stride=stage.stride if repeat == 0 else 1)
            index += 1
    x = _conv(x, "head", HEAD_CHANNELS)
    return keras.Model(picture, x, name="efficientnet-lite0")


def _block(x: keras.KerasTensor, name: str, stage: Stage, stride: int) -> keras.KerasTensor:
    """An inverted residual with a linear bottleneck (Sandler et al. 2018, "MobileNetV2")."""
    shortcut = x
    channels = x.shape[-1]
    if stage.expansion != 1:
        x = _conv(x, f"{name}_expand", channels * stage.expansion)
    x = layers.DepthwiseConv2D(
        stage.kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
    )(x)
    x = _relu6(_batch_norm(x, f"{name}_depthwise"), f"{name}_depthwise")
    x = _conv(x, f"{name}_project", stage.channels, activation=False)
    if stride == 1 and channels == stage.channels:
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return x


def _conv(
    x: keras.KerasTensor, name: str, channels: int, kernel: int = 1, stride: int = 1, activation: bool = True
) -> keras.KerasTensor:
    x = layers.Conv2D(channels, kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = _batch_norm(x, name)
    return _relu6(x, name) if activation else x


def _batch_norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=f"{name}_bn")(x)


def _relu6(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU(max_value=RELU6_MAX, name=f"{name}_relu6")(x)
