"""A memory of rows of earlier batches: thousands of negatives for the price of a matrix product.

Wang et al. 2020, "Cross-Batch Memory for Embedding Learning", and the queue of He et al. 2020, "Momentum Contrast for
Unsupervised Visual Representation Learning". Remembered rows are negatives only. Another picture of the anchor's own
instance, remembered from an earlier step, was made by another network: pulled towards or pushed away from, it made
trainings diverge, so it is masked, and so are the rows of its group.
"""

from typing import Any

import keras
from keras import layers, ops

from skuscan_models.training.losses.pairs import PACKAGE, PairLoss, Pairs, Tensor, compare, split_labels, tell_apart

EMPTY = -1.0  # label of a place that nothing was put in yet


@keras.saving.register_keras_serializable(PACKAGE)
class MemoryBank(layers.Layer):  # type: ignore[misc]  # keras carries no types
    """Adds a loss over the batch and the remembered rows to the network, and remembers the batch.

    A layer, since only a layer's state is carried by the compiled steps of every backend. It takes
    `[embeddings (n, d), labels (n, 2)]`, so labels are an input of the network in training, and gives the embeddings;
    the network is compiled without a loss of its own. Instances must have one number for the whole run.
    """

    def __init__(self, loss: PairLoss, places: int, **kwargs: Any) -> None:
        """`places`: rows that are remembered; the oldest go first."""
        super().__init__(**kwargs)
        self.loss, self.places = loss, places

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        """Makes the empty memory."""
        width = input_shape[0][-1]
        self.rows = self.add_weight(name="rows", shape=(self.places, width), initializer="zeros", trainable=False)
        self.labels = self.add_weight(
            name="labels", shape=(self.places, 2), initializer=keras.initializers.Constant(EMPTY), trainable=False
        )

    def call(self, inputs: list[Tensor], training: bool = False) -> Tensor:
        """Keras calls it; nothing is remembered outside training."""
        embeddings, labels = inputs
        # Copies: the memory is written before gradients are taken, and torch minds.
        self.add_loss(self.loss.of(remember(embeddings, labels, ops.copy(self.rows), ops.copy(self.labels))))
        if training:
            self._push(self.rows, embeddings)
            self._push(self.labels, labels)
        return embeddings

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        """The embeddings'."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """For a saved network."""
        loss = keras.saving.serialize_keras_object(self.loss)
        return {**super().get_config(), "loss": loss, "places": self.places}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MemoryBank":
        """Of a saved network."""
        return cls(keras.saving.deserialize_keras_object(config.pop("loss")), **config)

    def _push(self, memory: Any, rows: Tensor) -> None:
        newest = ops.concatenate([ops.cast(ops.stop_gradient(rows), memory.dtype), memory])[: self.places]
        memory.assign(ops.reshape(newest, memory.shape))


def remember(embeddings: Tensor, labels: Tensor, rows: Tensor, row_labels: Tensor) -> Pairs:
    """The pairs of a batch, and of the batch with remembered rows.

    Args:
        embeddings: (n, d), unit rows.
        labels: (n, 2), instance and group.
        rows: (m, d), remembered.
        row_labels: (m, 2); the instance is negative in an empty place.

    Returns:
        Similarities and masks, (n, n + m); the last m are never positive.
    """
    within = compare(labels, embeddings)
    embeddings = ops.cast(embeddings, "float32")
    filled = split_labels(row_labels)[0] >= 0
    negatives = ops.logical_and(tell_apart(labels, row_labels), filled[None, :])
    return Pairs(
        ops.concatenate([within.similarities, ops.matmul(embeddings, ops.transpose(rows))], axis=1),
        ops.concatenate([within.positives, ops.zeros_like(negatives)], axis=1),
        ops.concatenate([within.negatives, negatives], axis=1),
    )
