"""A folded BNNeck against one that is computed."""

import numpy as np
import numpy.typing as npt
import pytest

from skuscan.embedding import apply_head, unit
from skuscan.errors import ModelError
from skuscan.model import EMBEDDING_SIZE, Head
from skuscan_models.neck import EPSILON, bn_neck, fold

CHANNELS = 24

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of keras


def head_and_neck(seed: int) -> tuple[Head, tuple[npt.NDArray[np.float32], ...]]:
    rng = np.random.default_rng(seed)
    projection = rng.normal(size=(CHANNELS, EMBEDDING_SIZE)).astype(np.float32)
    bias, mean = rng.normal(size=(2, EMBEDDING_SIZE)).astype(np.float32)
    scale, variance = rng.uniform(0.1, 2, (2, EMBEDDING_SIZE)).astype(np.float32)
    attention = rng.normal(size=CHANNELS).astype(np.float32)
    return Head(3.0, projection, bias, attention), (scale, mean, variance)


def test_a_folded_neck_gives_what_the_neck_gave() -> None:
    head, (scale, mean, variance) = head_and_neck(0)
    feature_map = np.random.default_rng(1).uniform(0, 6, (7, 7, CHANNELS)).astype(np.float32)
    folded = fold(head, scale, mean, variance)
    # By hand: the head's pooling, then projection, then (x - mean) / deviation * scale, then unit length.
    values = feature_map.reshape(-1, CHANNELS).astype(np.float64)
    weights = 1 / (1 + np.exp(-(values @ head.attention)))
    pooled = (weights @ values**3 / weights.sum()) ** (1 / 3)
    necked = (pooled @ head.projection + head.bias - mean) / np.sqrt(variance + EPSILON) * scale
    np.testing.assert_allclose(apply_head(folded, feature_map), unit(necked), atol=1e-6)
    assert np.abs(apply_head(head, feature_map) - unit(necked)).max() > 0.01


def test_a_folded_neck_gives_what_the_layer_of_keras_gives() -> None:
    keras = pytest.importorskip("keras", reason="the layer needs keras (requirements-train.txt)")
    head, (scale, mean, variance) = head_and_neck(2)
    layer = bn_neck("neck")
    layer.build((None, EMBEDDING_SIZE))
    layer.set_weights([scale, mean, variance])
    pooled = np.random.default_rng(3).uniform(0, 6, (5, CHANNELS)).astype(np.float32)
    necked = keras.ops.convert_to_numpy(layer(pooled @ head.projection + head.bias))
    folded = fold(head, *layer.get_weights())
    np.testing.assert_allclose(pooled @ folded.projection + folded.bias, necked, rtol=1e-4, atol=1e-4)


def test_a_neck_of_another_size_is_refused() -> None:
    head, (scale, mean, variance) = head_and_neck(0)
    with pytest.raises(ModelError, match=r"256 components; received .*\(8,\)"):
        fold(head, scale, mean[:8], variance)
