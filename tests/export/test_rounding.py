"""Rounding of weights, on filters small enough to check by trying everything."""

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skuscan_export.rounding import MAX_STEPS, round_filters, round_weights

TAPS = 9
FILTERS = 16

Array = npt.NDArray[np.float64]


def loss(kernel: Array, rounded: Array, moment: Array) -> Array:
    """(filters,) mean square of what rounding changes in a filter's output."""
    error = rounded - kernel
    return np.asarray(np.einsum("tf,tu,uf->f", error, moment, error))


def nearest(kernel: Array) -> Array:
    scale = np.abs(kernel).max(axis=0) / MAX_STEPS
    return np.asarray(np.rint(kernel / scale) * scale)


@pytest.fixture
def smooth() -> Array:
    """Second moment of neighbouring pixels: nearly equal values, far from zero."""
    rng = np.random.default_rng(0)
    pixels = rng.uniform(2, 6, (5_000, 1)) + rng.normal(0, 0.1, (5_000, TAPS))
    return np.asarray(pixels.T @ pixels)


@pytest.fixture
def edges() -> Array:
    """Filters whose taps nearly cancel: (taps, filters)."""
    kernel = np.random.default_rng(1).normal(0, 1, (TAPS, FILTERS))
    return np.asarray(kernel - kernel.mean(axis=0))


def test_outputs_of_filters_on_smooth_pictures_change_far_less_than_with_the_nearest_steps(
    smooth: Array, edges: Array
) -> None:
    ours, plain = loss(edges, round_filters(edges, smooth), smooth), loss(edges, nearest(edges), smooth)
    assert (ours <= plain * (1 + 1e-9)).all()
    assert ours.sum() < plain.sum() / 10


def test_no_single_step_would_make_a_filter_better(smooth: Array, edges: Array) -> None:
    rounded = round_filters(edges, smooth)
    scale = np.abs(edges).max(axis=0) / MAX_STEPS
    pinned = np.abs(edges).argmax(axis=0)
    best = loss(edges, rounded, smooth)
    for tap, direction in itertools.product(range(TAPS), (-1, 1)):
        moved = rounded.copy()
        moved[tap] += direction * scale
        free = pinned != tap
        assert (loss(edges, moved, smooth)[free] >= best[free] - 1e-9).all()


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), taps=st.integers(1, 25), filters=st.integers(1, 8))
def test_rounded_weights_lie_on_the_grid_that_a_converter_would_choose(seed: int, taps: int, filters: int) -> None:
    rng = np.random.default_rng(seed)
    kernel = rng.normal(0, 1, (taps, filters))
    inputs = rng.normal(1, 1, (200, taps))
    rounded = round_filters(kernel, inputs.T @ inputs)
    np.testing.assert_allclose(np.abs(rounded).max(axis=0), np.abs(kernel).max(axis=0))
    steps = rounded / (np.abs(rounded).max(axis=0) / MAX_STEPS)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-9)


def test_a_depthwise_filter_is_rounded_by_its_own_channel_s_inputs(smooth: Array, edges: Array) -> None:
    per_filter = np.stack([smooth * (1 + i) for i in range(FILTERS)])
    np.testing.assert_array_equal(round_filters(edges, per_filter), round_filters(edges, smooth))


def test_a_filter_of_zeros_stays_zero(smooth: Array) -> None:
    assert not round_filters(np.zeros((TAPS, 2)), smooth).any()


def test_a_rounded_network_has_its_weights_on_the_grid_and_still_computes_nearly_the_same() -> None:
    pytest.importorskip("keras", reason="building a backbone needs keras (requirements-train.txt)")
    from skuscan_models.backbones import build_backbone

    model = build_backbone("efficientnet-lite0", 64)
    pictures = np.random.default_rng(2).uniform(-1, 1, (4, 64, 64, 3)).astype(np.float32)
    before = model.predict_on_batch(pictures)
    round_weights(model, pictures, seed=0)
    after = model.predict_on_batch(pictures)
    cosine = (before * after).sum() / np.linalg.norm(before) / np.linalg.norm(after)
    assert not np.array_equal(before, after)
    assert cosine > 0.999
    for layer in (layer for layer in model.layers if layer.name.endswith("_conv")):
        (kernel,) = layer.get_weights()
        axes = (0, 1, 3) if layer.name.endswith("_depthwise_conv") else (0, 1, 2)
        steps = kernel / (np.abs(kernel).max(axis=axes, keepdims=True) / MAX_STEPS)
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3, err_msg=layer.name)
