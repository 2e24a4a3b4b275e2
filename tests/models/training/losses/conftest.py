"""What tests of losses share; Keras is imported by none of it until a test asks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

Array = npt.NDArray[np.float32]


@pytest.fixture(scope="session")
def value() -> Callable[..., float]:
    """A loss's value as a plain number, from labels and rows as lists."""

    def evaluate(loss: Any, labels: Any, rows: Any) -> float:
        from keras import ops

        found = loss(ops.convert_to_tensor(labels, "float32"), ops.convert_to_tensor(rows, "float32"))
        assert tuple(found.shape) == ()
        return float(found)

    return evaluate


@pytest.fixture(scope="session")
def gradient() -> Callable[[Any, Any, Any], Array]:
    """By how much each number of the output changes the loss, by the backend's own differentiation."""

    def differentiate(loss: Any, labels: Any, rows: Any) -> Array:
        import keras

        labels, rows = np.asarray(labels, np.float32), np.asarray(rows, np.float32)
        row = keras.Input((1,))
        table = keras.layers.Embedding(len(rows), rows.shape[1], embeddings_initializer="zeros")
        model = keras.Model(row, keras.ops.squeeze(table(row), axis=1))
        table.set_weights([rows])
        model.compile(keras.optimizers.SGD(learning_rate=1.0), loss=loss, jit_compile=False)
        model.train_on_batch(np.arange(len(rows), dtype=np.float32)[:, np.newaxis], labels)
        return np.asarray(rows - table.get_weights()[0])

    return differentiate
