"""What is trained, and what a device gets of it, compute the same."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

keras = pytest.importorskip("keras", reason="the network needs keras (requirements-train.txt)")

from skuscan.embedding import apply_head  # noqa: E402
from skuscan.model import EMBEDDING_SIZE, Head  # noqa: E402
from skuscan_models.heads import gem  # noqa: E402
from skuscan_models.training.network import (  # noqa: E402
    POOLING,
    PROJECTION,
    WeightedGeM,
    backbone_of,
    blend,
    head_of,
    set_head,
    training_network,
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of keras

BACKBONE = "mobilenet-v3-small-minimalistic"
CHANNELS = 576
AGREEMENT = 1e-5


@pytest.fixture(scope="module")
def network() -> Any:
    return training_network(BACKBONE, frozen_blocks=2, gem_p=3, attention_rate=3.0)


@pytest.fixture
def head() -> Head:
    rng = np.random.default_rng(1)
    projection, bias, attention = (
        rng.normal(0, scale, shape).astype(np.float32)
        for scale, shape in ((40, (CHANNELS, EMBEDDING_SIZE)), (5, EMBEDDING_SIZE), (0.1, CHANNELS))
    )
    return Head(3.0, projection, bias, attention)


@pytest.fixture
def feature_maps() -> npt.NDArray[np.float32]:
    """As a last ReLU6 gives them: nothing below 0, and many zeros."""
    return np.clip(np.random.default_rng(2).normal(0, 2, (5, 2, 3, CHANNELS)), 0, 6).astype(np.float32)


def test_the_device_computes_what_was_trained(network: Any, head: Head, feature_maps: Any) -> None:
    set_head(network, head)
    trained = keras.Model(network.get_layer(POOLING).input, network.output).predict_on_batch(feature_maps)
    for given in (head, head_of(network), Head.load(head_of(network).dump())):
        on_device = np.stack([apply_head(given, feature_map) for feature_map in feature_maps])
        np.testing.assert_allclose(trained, on_device, atol=AGREEMENT)


def test_blending_moves_every_weight_of_the_backbone_and_none_of_the_head(head: Head) -> None:
    learned, before = (training_network(BACKBONE, frozen_blocks=0, gem_p=3, attention_rate=3.0) for _ in range(2))
    set_head(learned, head)
    wanted = [
        0.75 * mine + 0.25 * old
        for mine, old in zip(backbone_of(learned).get_weights(), backbone_of(before).get_weights(), strict=True)
    ]
    head_before = head_of(learned)
    blend(learned, backbone_of(before), 0.25)
    for now, want in zip(backbone_of(learned).get_weights(), wanted, strict=True):
        np.testing.assert_allclose(now, want, atol=AGREEMENT)
    np.testing.assert_array_equal(head_of(learned).projection, head_before.projection)


def test_without_attention_pooling_is_plain_gem(feature_maps: Any) -> None:
    pooled = keras.ops.convert_to_numpy(WeightedGeM(3, 1.0)(feature_maps))
    np.testing.assert_allclose(pooled, [gem(feature_map, 3) for feature_map in feature_maps], rtol=AGREEMENT)


def test_attention_chooses_where_the_pooling_looks() -> None:
    layer = WeightedGeM(3, 2.0)
    feature_map = np.zeros((1, 1, 2, 2), np.float32)
    feature_map[0, 0, 0], feature_map[0, 0, 1] = (4, 1), (1, 4)
    layer.build(feature_map.shape)
    layer.set_weights([np.array([5, -5], np.float32)])
    pooled = keras.ops.convert_to_numpy(layer(feature_map))
    np.testing.assert_allclose(pooled, [[4, 1]], rtol=1e-3)


def test_the_first_blocks_and_all_batch_statistics_are_frozen(network: Any) -> None:
    trained = {variable.path.split("/")[0] for variable in network.trainable_variables}
    assert not [name for name in trained if name.startswith(("stem", "block0_", "block1_")) or name.endswith("_bn")]
    assert {POOLING, PROJECTION} < trained
    assert [name for name in trained if name.startswith("block2_")]


def test_the_backbone_is_the_network_up_to_its_feature_map(network: Any) -> None:
    assert backbone_of(network).output_shape == (None, None, None, CHANNELS)
    picture = np.random.default_rng(3).normal(0, 1, (1, 64, 64, 3)).astype(np.float32)
    embedding = network.predict_on_batch(picture)[0]
    feature_map = np.asarray(backbone_of(network).predict_on_batch(picture)[0])
    np.testing.assert_allclose(embedding, apply_head(head_of(network), np.maximum(feature_map, 0)), atol=AGREEMENT)
