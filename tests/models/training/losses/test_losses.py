"""What holds of every loss over pairs: masks, invariants, gradients; and how a loss is named."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings

keras = pytest.importorskip("keras", reason="losses need keras (requirements-train.txt)")

from skuscan.errors import ModelError  # noqa: E402
from skuscan_models.training.losses import LOSSES, build_loss  # noqa: E402
from skuscan_models.training.losses.pairs import PairLoss  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of keras

Array = npt.NDArray[np.float32]
Value = Callable[..., float]
Gradient = Callable[[Any, Any, Any], Array]

PAIR_LOSSES = sorted(name for name, loss in LOSSES.items() if issubclass(loss, PairLoss))
AGREEMENT = 2e-5  # relative: float32 sums in another order
EXAMPLES = 12
CIRCLE_REST = 1e-3  # its weights leave e^-8 or so where nothing is left to improve

batches = st.tuples(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 1)), min_size=2, max_size=8), st.integers(0, 2**32 - 1)
)


def unit_rows(count: int, seed: int, width: int = 4) -> Array:
    rows = np.random.default_rng(seed).normal(size=(count, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("name", PAIR_LOSSES)
@settings(max_examples=EXAMPLES)
@given(batch=batches)
def test_a_loss_is_finite_and_never_negative(value: Value, name: str, batch: Any) -> None:
    labels, seed = batch
    found = value(build_loss(name), labels, unit_rows(len(labels), seed))
    assert np.isfinite(found)
    assert found >= 0


@pytest.mark.parametrize("name", PAIR_LOSSES)
@settings(max_examples=EXAMPLES)
@given(batch=batches)
def test_the_order_of_rows_does_not_matter(value: Value, name: str, batch: Any) -> None:
    labels, seed = np.array(batch[0]), batch[1]
    rows = unit_rows(len(labels), seed)
    order = np.random.default_rng(seed).permutation(len(rows))
    loss = build_loss(name)
    assert value(loss, labels[order], rows[order]) == pytest.approx(value(loss, labels, rows), AGREEMENT, abs=1e-6)


@pytest.mark.parametrize("name", PAIR_LOSSES)
@settings(max_examples=EXAMPLES)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_rows_are_better_than_the_same_for_an_instance_and_opposite_ones_for_others(
    value: Value, name: str, seed: int
) -> None:
    labels = [[0, -1], [0, -1], [1, -1], [1, -1]]
    perfect = np.array([[1, 0], [1, 0], [-1, 0], [-1, 0]], np.float32)
    loss = build_loss(name)
    assert value(loss, labels, perfect) <= value(loss, labels, unit_rows(4, seed, width=2)) + CIRCLE_REST


@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_where_instances_of_one_group_lie_to_each_other_does_not_matter(value: Value, name: str) -> None:
    # Instances 0 and 1, each with a cosine of 0.8 between its pictures, at one place and at opposite ones; instance 2
    # is at right angles to both.
    together = [[1, 0, 0], [0.8, 0.6, 0], [1, 0, 0], [0.8, 0.6, 0], [0, 0, 1], [0, 0, 1]]
    opposite = [[1, 0, 0], [0.8, 0.6, 0], [-1, 0, 0], [-0.8, -0.6, 0], [0, 0, 1], [0, 0, 1]]
    alike = [[0, 5], [0, 5], [1, 5], [1, 5], [2, -1], [2, -1]]
    ungrouped = [[instance, -1] for instance, _ in alike]
    loss = build_loss(name)
    assert value(loss, alike, together) == pytest.approx(value(loss, alike, opposite), abs=1e-6)
    assert value(loss, ungrouped, together) > value(loss, ungrouped, opposite) + 0.01


@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_gradients_are_finite_where_roots_and_logarithms_are_steep(gradient: Gradient, name: str) -> None:
    rows = [[1, 0], [1, 0], [1, 0], [-1, 0]]  # equal and opposite rows
    found = gradient(build_loss(name), [[0, -1], [0, -1], [1, -1], [2, -1]], rows)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_a_small_step_down_the_gradient_lowers_the_loss(gradient: Gradient, value: Value, name: str) -> None:
    labels, rows, loss = [[0, -1], [0, -1], [1, -1], [1, -1], [1, -1]], unit_rows(5, seed=3), build_loss(name)
    lower = rows - 1e-3 * gradient(loss, labels, rows)
    assert value(loss, labels, lower) < value(loss, labels, rows)


@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_a_batch_in_which_all_pairs_are_ignored_teaches_nothing(gradient: Gradient, name: str) -> None:
    assert not gradient(build_loss(name), [[0, 3], [1, 3]], unit_rows(2, seed=1)).any()


@pytest.mark.parametrize("name", sorted(set(PAIR_LOSSES) - {"contrastive"}))
def test_rows_without_a_positive_teach_nothing(gradient: Gradient, name: str) -> None:
    assert not gradient(build_loss(name), [[0, -1], [1, -1]], unit_rows(2, seed=1)).any()


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_saved_network_knows_its_loss(name: str, tmp_path: Any) -> None:
    picture = keras.Input((4,))
    model = keras.Model(picture, keras.layers.UnitNormalization()(keras.layers.Dense(4)(picture)))
    model.compile("sgd", loss=build_loss(name), jit_compile=False)
    model.train_on_batch(np.eye(4, dtype=np.float32), np.array([[0, -1], [0, -1], [1, -1], [1, -1]], np.float32))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.loss == build_loss(name)


def test_options_are_fixed() -> None:
    with pytest.raises(FrozenInstanceError):
        build_loss("nt-xent").temperature = 1  # type: ignore[attr-defined]


def test_an_unknown_loss_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"nt-xent, supcon.*; received softmax"):
        build_loss("softmax")


def test_an_unknown_option_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match="nt-xent are temperature; received margin"):
        build_loss("nt-xent", margin=0.1)


@pytest.mark.parametrize("temperature", [0, -1, float("nan"), float("inf")])
def test_an_option_that_makes_no_sense_is_refused(temperature: float) -> None:
    with pytest.raises(ModelError, match="temperature is a positive number"):
        build_loss("supcon", temperature=temperature)
