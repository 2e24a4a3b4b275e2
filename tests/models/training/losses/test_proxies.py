"""ArcFace and CosFace against numbers worked by hand, and their layer of proxies."""

from collections.abc import Callable
from math import cos, exp, log, sin
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="losses need keras (requirements-train.txt)")

from skuscan_models.training.losses import build_loss  # noqa: E402
from skuscan_models.training.losses.proxies import ProxyCosines  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of keras

Value = Callable[..., float]

# One row of instance 0: cosine 0.8 (sine 0.6) with its own proxy, 0.6 and 0 with two others. Scale 2.
COSINES = [[0.8, 0.6, 0.0]]
LABEL = [[0, 0]]


def cross_entropy(right: float, *wrong: float) -> float:
    return log(sum(exp(2 * cosine) for cosine in (right, *wrong))) - 2 * right


def test_arcface_adds_its_margin_to_the_angle(value: Value) -> None:
    # cos(angle + 0.5) = 0.8 cos 0.5 - 0.6 sin 0.5
    expected = cross_entropy(0.8 * cos(0.5) - 0.6 * sin(0.5), 0.6, 0.0)
    assert value(build_loss("arcface", scale=2.0, margin=0.5), LABEL, COSINES) == pytest.approx(expected)


def test_cosface_takes_its_margin_off_the_cosine(value: Value) -> None:
    expected = cross_entropy(0.8 - 0.35, 0.6, 0.0)
    assert value(build_loss("cosface", scale=2.0, margin=0.35), LABEL, COSINES) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["arcface", "cosface"])
def test_a_row_is_not_pushed_from_proxies_of_its_group(value: Value, name: str) -> None:
    options = {"scale": 2.0, "margin": 0.35}
    alone = value(build_loss(name, **options), LABEL, [[0.8, 0.0]])
    assert value(build_loss(name, groups=(0, 0, -1), **options), LABEL, COSINES) == pytest.approx(alone)
    ungrouped = build_loss(name, groups=(-1, -1, -1), **options)
    assert value(ungrouped, [[0, -1]], COSINES) == pytest.approx(value(build_loss(name, **options), LABEL, COSINES))


@pytest.mark.parametrize("name", ["arcface", "cosface"])
def test_a_row_nearer_to_its_proxy_is_never_worse(value: Value, name: str) -> None:
    loss = build_loss(name, scale=4.0)
    found = [value(loss, LABEL, [[cosine, 0.0]]) for cosine in np.linspace(-1, 1, 41)]
    assert min(found) >= 0
    assert (np.diff(found) < 0).all()


@pytest.mark.parametrize("name", ["arcface", "cosface"])
def test_gradients_are_finite_at_both_ends(gradient: Callable[[Any, Any, Any], Any], name: str) -> None:
    found = gradient(build_loss(name), [[0, -1], [0, -1]], [[1, -1], [-1, 1]])
    assert np.isfinite(found).all()


def test_proxies_are_learned_and_saved(tmp_path: Any) -> None:
    rows = np.eye(3, dtype=np.float32)
    labels = np.array([[0, -1], [1, -1], [2, -1]], np.float32)
    embedding = keras.Input((3,))
    model = keras.Model(embedding, ProxyCosines(3, name="proxies")(embedding))
    model.compile(keras.optimizers.Adam(0.1), loss=build_loss("arcface", scale=8.0), jit_compile=False)
    losses = [float(model.train_on_batch(rows, labels)) for _ in range(30)]
    assert losses[-1] < 0.1 * losses[0]
    cosines = keras.ops.convert_to_numpy(model(rows))
    assert (cosines.argmax(axis=1) == labels[:, 0]).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(loaded(rows)), cosines)
