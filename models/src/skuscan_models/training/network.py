"""The network that is trained: backbone, GeM pooling where the product is, projection, unit length.

It ends in one output, (n, 256) unit rows, so that every loss is written over that and Keras's own `train_on_batch` does
the step on any backend. What a device gets of it: the backbone's weights, and the pooling and projection as a `Head`.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from skuscan.embedding import GEM_FLOOR
from skuscan.model import EMBEDDING_SIZE, Head
from skuscan_models.backbones import build_backbone
from skuscan_models.float_model import FloatModel

POOLING, PROJECTION = "pooling", "projection"


class WeightedGeM(layers.Layer):  # type: ignore[misc]  # keras carries no types
    """GeM pooling (Radenovic et al. 2018) in which every location has a weight of its own.

    The weight is `sigmoid(attention . x)` (in the manner of Noh et al. 2017, "Large-scale image retrieval with
    attentive deep local features"): it learns to look at the product and away from shelves and hands. It starts at
    equal weights. (n, h, w, c) -> (n, c).
    """

    def __init__(self, exponent: int, rate: float, **kwargs: Any) -> None:
        """A layer with no weights yet.

        Adam's steps do not depend on the size of a gradient, so weights that are multiplied by `rate` learn that much
        faster than the others: one optimizer, two learning rates, on every backend.
        """
        super().__init__(**kwargs)
        self.exponent, self.rate = exponent, rate

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        self.attention = self.add_weight(name="attention", shape=(input_shape[-1],), initializer="zeros")

    def call(self, feature_map: Any) -> Any:
        """(n, h, w, c) -> (n, c)."""
        weight = ops.sigmoid(ops.sum(feature_map * (self.rate * self.attention), axis=-1, keepdims=True))
        powers = ops.power(ops.maximum(feature_map, float(GEM_FLOOR)), self.exponent)
        pooled = ops.sum(weight * powers, axis=(1, 2)) / ops.sum(weight, axis=(1, 2))
        return ops.power(pooled, 1 / self.exponent)


class Projection(layers.Layer):  # type: ignore[misc]
    """(n, c) -> (n, 256) unit rows."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        shape = (input_shape[-1], EMBEDDING_SIZE)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="orthogonal")
        self.bias = self.add_weight(name="bias", shape=(EMBEDDING_SIZE,), initializer="zeros")

    def call(self, pooled: Any) -> Any:
        """(n, c) -> (n, 256)."""
        return ops.normalize(ops.matmul(pooled, self.kernel) + self.bias, axis=-1)


def training_network(backbone: str, frozen_blocks: int, gem_p: int, attention_rate: float) -> keras.Model:
    """The network for pictures of any size that is a multiple of 32: (n, S, S, 3) float32 -> (n, 256) unit rows.

    Batch normalisation keeps its ImageNet statistics: batches of drawn pictures would spoil them.
    """
    features = build_backbone(backbone, None)
    for layer in features.layers:
        if isinstance(layer, layers.BatchNormalization) or _is_before(layer.name, frozen_blocks):
            layer.trainable = False
    pooled = WeightedGeM(gem_p, attention_rate, name=POOLING)(features.output)
    return keras.Model(features.input, Projection(name=PROJECTION)(pooled), name=f"{backbone}-training")


def backbone_of(network: keras.Model) -> keras.Model:
    """The same network up to its feature map: (n, S, S, 3) -> (n, h, w, c)."""
    return keras.Model(network.input, network.get_layer(POOLING).input)


def pooled_features(network: keras.Model) -> keras.Model:
    """The same network up to its pooling: (n, S, S, 3) -> (n, c)."""
    return keras.Model(network.input, network.get_layer(POOLING).output)


def set_head(network: keras.Model, head: Head) -> None:
    """Start from a head. Its size is scaled away: the output has unit length, and learning rates suit such weights."""
    layer = network.get_layer(PROJECTION)
    scale = 1 / (np.sqrt(len(head.projection)) * head.projection.std())
    layer.set_weights([head.projection * scale, head.bias * scale])
    pooling = network.get_layer(POOLING)
    pooling.set_weights([head.attention / pooling.rate])


def set_model(network: keras.Model, model: FloatModel) -> None:
    """Start from a trained model of the same backbone and exponent."""
    for layer in model.network.layers:
        if layer.weights:
            network.get_layer(layer.name).set_weights(layer.get_weights())
    set_head(network, model.head)


def blend(network: keras.Model, start: keras.Model, share: float) -> None:
    """Replace a share of the backbone's weights, in place, by those of another network with the same backbone."""
    for layer in backbone_of(network).layers:
        if layer.weights:
            pairs = zip(layer.get_weights(), start.get_layer(layer.name).get_weights(), strict=True)
            layer.set_weights([(1 - share) * learned + share * before for learned, before in pairs])


def head_of(network: keras.Model) -> Head:
    """What a device computes outside the int8 graph."""
    pooling = network.get_layer(POOLING)
    projection, bias = network.get_layer(PROJECTION).get_weights()
    attention = np.asarray(pooling.get_weights()[0]) * np.float32(pooling.rate)
    return Head(float(pooling.exponent), np.asarray(projection), np.asarray(bias), attention.astype(np.float32))


def _is_before(name: str, blocks: int) -> bool:
    """Whether a layer is in the stem or one of the first blocks."""
    return blocks > 0 and (name.startswith("stem") or name.split("_")[0] in {f"block{i}" for i in range(blocks)})
