"""Keras -> full int8 TFLite.

Post-training quantisation (Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference"): weights per channel, activations per tensor, from the ranges that calibration
pictures show. The input is uint8: with a black and a white picture among them its scale is exactly `1 / scale` of the
PreprocessSpec and its zero point the offset, so raw pixels go straight in.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from skuscan.errors import ModelError
from skuscan.proto.bundle_pb2 import PreprocessSpec
from skuscan_models.pictures import to_network

if TYPE_CHECKING:  # importing it needs keras
    from skuscan_models.backbones import Backbone

BLACK, WHITE = 0, 255
MAX_BACKBONE_BYTES = 6_000_000  # bytes, of a released .tflite


def to_int8(model: "Backbone", pictures: npt.NDArray[np.uint8], preprocess: PreprocessSpec) -> bytes:
    """Convert a backbone.

    Args:
        model: The float network.
        pictures: (n, S, S, 3) uint8, letterboxed; a black and a white one are added.
        preprocess: How pixels become the network's input.

    Returns:
        A .tflite: (1, S, S, 3) uint8 -> (1, h, w, c) int8.

    Raises:
        ModelError: It came out too large.
    """
    import keras
    import tensorflow as tf

    # A batch of exactly one: a model with an open batch size does not compile for the Edge TPU.
    single = keras.Input(batch_shape=(1, *model.input_shape[1:]), name="picture")
    fixed = keras.Model(single, model(single), name=model.name)

    def calibration() -> Iterator[list[npt.NDArray[np.float32]]]:
        for picture in with_extremes(pictures):
            yield [to_network(picture[np.newaxis], preprocess)]

    converter: Any = tf.lite.TFLiteConverter.from_keras_model(fixed)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    data = bytes(converter.convert())
    if len(data) > MAX_BACKBONE_BYTES:
        raise ModelError(f"a released backbone has at most {MAX_BACKBONE_BYTES} bytes", f"{len(data)} bytes")
    return data


def with_extremes(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The pictures and a black and a white one, which fix the range of the input: (n + 2, S, S, 3)."""
    shape = (1, *pictures.shape[1:])
    return np.concatenate([pictures, np.full(shape, BLACK, np.uint8), np.full(shape, WHITE, np.uint8)])
