"""The memory of earlier batches, through Keras's own steps."""

from math import exp, log
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="losses need keras (requirements-train.txt)")

from skuscan_models.training.losses import build_loss  # noqa: E402
from skuscan_models.training.losses.memory import MemoryBank  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of keras

E = exp(1)  # temperature 1, and the two pictures of an instance are equal: cosine 1
NOWHERE = -1
DIRECTIONS = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)  # of instances 0, 1 and 2


def training_network(places: int, rate: float = 0.0) -> Any:
    """Instance number -> its row of a table -> memory; compiled as a trainer does it."""
    number, labels = keras.Input((1,)), keras.Input((2,))
    table = keras.layers.Embedding(*DIRECTIONS.shape, name="table")
    rows = keras.ops.squeeze(table(number), axis=1)
    bank = MemoryBank(build_loss("nt-xent", temperature=1.0), places, name="bank")
    model = keras.Model([number, labels], bank([rows, labels]))
    table.set_weights([DIRECTIONS])
    model.compile(keras.optimizers.SGD(rate), jit_compile=False)
    return model


def step(model: Any, instance: int, group: int = NOWHERE) -> float:
    """Train on two equal pictures of an instance; the loss."""
    numbers = np.full((2, 1), instance, np.float32)
    return float(model.train_on_batch([numbers, np.array([[instance, group]] * 2, np.float32)]))


def test_remembered_rows_are_negatives_and_the_oldest_go_first() -> None:
    model = training_network(places=4)
    assert step(model, 0) == pytest.approx(0, abs=1e-6)  # nobody to tell it from, empty places least of all
    assert step(model, 1) == pytest.approx(log(1 + 2 / E))  # two remembered rows of instance 0, cosine 0
    assert step(model, 2) == pytest.approx(log(1 + (2 + 2 / E) / E))  # two rows at cosine 0, two at -1
    assert step(model, 0) == pytest.approx(log(1 + (2 + 2 / E) / E))  # its own old rows are gone
    assert step(model, 1) == pytest.approx(log(1 + 4 / E))


def test_other_pictures_of_the_same_instance_are_no_negatives() -> None:
    model = training_network(places=6)
    step(model, 0)
    step(model, 1)
    assert step(model, 0) == pytest.approx(log(1 + 2 / E))  # two of instance 1; its own two are masked


def test_remembered_rows_of_the_group_are_no_negatives() -> None:
    model = training_network(places=4)
    step(model, 0, group=7)
    assert step(model, 1, group=7) == pytest.approx(0, abs=1e-6)
    assert step(model, 2, group=8) == pytest.approx(log(1 + (2 + 2 / E) / E))


def test_a_batch_larger_than_the_memory_leaves_its_first_rows() -> None:
    model = training_network(places=1)
    step(model, 0)
    assert step(model, 1) == pytest.approx(log(1 + 1 / E))


def test_a_memory_teaches() -> None:
    model = training_network(places=4, rate=0.1)
    step(model, 0)
    assert not np.abs(model.get_layer("table").get_weights()[0] - DIRECTIONS).any()
    step(model, 1)
    moved = model.get_layer("table").get_weights()[0] - DIRECTIONS
    assert moved[1, 0] < 0  # away from instance 0
    assert not moved[[0, 2]].any()  # what is remembered is not changed


def test_nothing_is_remembered_outside_training() -> None:
    model = training_network(places=4)
    before = model.get_layer("bank").get_weights()
    model.predict_on_batch([np.zeros((2, 1)), np.zeros((2, 2))])
    for old, new in zip(before, model.get_layer("bank").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_saved_network_keeps_its_memory(tmp_path: Any) -> None:
    model = training_network(places=4)
    step(model, 0)
    model.save(tmp_path / "model.keras")
    assert step(keras.models.load_model(tmp_path / "model.keras"), 1) == pytest.approx(log(1 + 2 / E))
