"""Equalised streams, on a small network."""

import os

import numpy as np
import numpy.typing as npt
import pytest

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
keras = pytest.importorskip("keras", reason="needs Keras: make train-env")

from skuscan_export.equalisation import LEAST, Stream, equalise_streams, streams  # noqa: E402
from skuscan_models.inverted_residuals import Layout, Stage  # noqa: E402

LAYOUT = Layout("small", 8, (Stage(1, 3, 1, 1, 6), Stage(3, 3, 2, 4, 10), Stage(1, 3, 1, 4, 12)), 20, 6.0)
SIZE = 32


@pytest.fixture
def network() -> "keras.Model":
    """With channels of very unlike ranges in its streams, one of them next to nothing."""
    keras.utils.set_random_seed(3)
    model = LAYOUT.build(SIZE)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if layer.name.endswith("_bn"):
            gamma, beta, mean, variance = layer.get_weights()
            unlike = np.exp(rng.normal(0, 1, gamma.shape)) if "_project" in layer.name else 1.0
            layer.set_weights([gamma * unlike, rng.normal(0, 0.3, beta.shape) * unlike, mean, variance])
    norm = model.get_layer("block0_project_bn")
    weights = norm.get_weights()
    for array in weights[:2]:
        array[2] *= 1e-4
    norm.set_weights(weights)
    return model


@pytest.fixture
def inputs() -> npt.NDArray[np.float32]:
    return np.random.default_rng(1).uniform(-1, 1, (11, SIZE, SIZE, 3)).astype(np.float32)


def test_streams_end_where_blocks_no_longer_add(network: "keras.Model") -> None:
    assert streams(network) == [
        Stream(["block0_project_bn"], ["block0_project_bn"], ["block1_expand_conv"]),
        Stream(
            ["block1_project_bn", "block2_project_bn", "block3_project_bn"],
            ["block1_project_bn", "block2_add", "block3_add"],
            ["block2_expand_conv", "block3_expand_conv", "block4_expand_conv"],
        ),
        Stream(["block4_project_bn"], ["block4_project_bn"], ["head_conv"]),
    ]


def test_the_network_computes_the_same(network: "keras.Model", inputs: npt.NDArray[np.float32]) -> None:
    before = network.predict_on_batch(inputs)
    weights = [layer.get_weights() for layer in network.layers]
    equalise_streams(network, inputs)
    changed = [
        layer.name
        for layer, old in zip(network.layers, weights, strict=True)
        if any(not np.array_equal(a, b) for a, b in zip(layer.get_weights(), old, strict=True))
    ]
    touched = {name for stream in streams(network) for name in (*stream.writers, *stream.readers)}
    assert set(changed) == touched
    assert np.abs(before).max() > 0.1
    np.testing.assert_allclose(network.predict_on_batch(inputs), before, atol=1e-4)


def test_the_channels_of_a_stream_reach_as_far(network: "keras.Model", inputs: npt.NDArray[np.float32]) -> None:
    def ranges(stream: Stream) -> npt.NDArray[np.float32]:
        maps = [
            keras.Model(network.input, network.get_layer(name).output).predict_on_batch(inputs) for name in stream.sums
        ]
        return np.max([np.abs(each).max(axis=(0, 1, 2)) for each in maps], axis=0)

    unlike = [ranges(stream) for stream in streams(network)]
    equalise_streams(network, inputs)
    for before, stream in zip(unlike, streams(network), strict=True):
        after, shown = ranges(stream), before > LEAST * before.max()
        assert before[shown].min() < before.max() / 2
        np.testing.assert_allclose(after[shown], before.max(), rtol=1e-3)
        assert (after[~shown] <= before[~shown] / LEAST * 1.001).all()
    assert 0 < unlike[0][2] < LEAST * unlike[0].max()
