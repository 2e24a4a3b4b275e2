"""Which pairs of rows of a batch should be close and which far, and what every loss over such pairs shares.

Labels are (n, 2): the instance, and the group of instances that are too alike to be told apart (-1: none). Two rows of
an instance are a positive pair. Two rows of different instances are a negative pair, unless they share a group: then
they are no pair at all, since nobody could say that they should be far apart. No row is a pair with itself.
"""

import dataclasses
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

from keras import ops

from skuscan.errors import ModelError

Tensor = Any  # of the backend that KERAS_BACKEND names: keras carries no types

PACKAGE = "skuscan"  # under which saved networks name the project's own objects
NOTHING = -1e9  # a logit that counts for nothing; minus infinity would make gradients of empty rows NaN


@dataclass(frozen=True)
class Pairs:
    """Rows of a batch, the anchors, against rows that they are compared with.

    Attributes:
        similarities: (n, m) float32, cosines.
        positives: (n, m) bool.
        negatives: (n, m) bool; neither where a pair is ignored.
    """

    similarities: Tensor
    positives: Tensor
    negatives: Tensor


@dataclass(frozen=True)
class Loss(ABC):
    """What all losses are: a callable that Keras compiles and saves. Options are positive numbers."""

    def __post_init__(self) -> None:
        """Raises ModelError for an option that is not a positive number."""
        for name, value in dataclasses.asdict(self).items():
            if isinstance(value, int | float) and not (math.isfinite(value) and value > 0):
                raise ModelError(f"a loss's {name} is a positive number", str(value))

    @abstractmethod
    def __call__(self, labels: Tensor, output: Tensor) -> Tensor:
        """The loss of a batch.

        Args:
            labels: (n, 2), instance and group.
            output: (n, d) float32, what the network gives.

        Returns:
            A scalar float32, at least 0.
        """

    def get_config(self) -> dict[str, Any]:
        """The options, for a saved network."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The loss with those options."""
        return cls(**config)


@dataclass(frozen=True)
class PairLoss(Loss):
    """A loss over unit rows that looks at nothing but the cosines of pairs."""

    def __call__(self, labels: Tensor, output: Tensor) -> Tensor:
        """The loss of every pair within a batch of unit rows."""
        return self.of(compare(labels, output))

    @abstractmethod
    def of(self, pairs: Pairs) -> Tensor:
        """The loss of those pairs: a scalar float32, at least 0; 0 when there is none."""


def compare(labels: Tensor, embeddings: Tensor) -> Pairs:
    """Every row of a batch against every other.

    Args:
        labels: (n, 2), instance and group.
        embeddings: (n, d), unit rows.
    """
    embeddings = ops.cast(embeddings, "float32")
    instances, _ = split_labels(labels)
    same = ops.equal(instances[:, None], instances[None, :])
    itself = ops.cast(ops.eye(ops.shape(embeddings)[0]), "bool")
    similarities = ops.matmul(embeddings, ops.transpose(embeddings))
    return Pairs(similarities, ops.logical_and(same, ops.logical_not(itself)), tell_apart(labels, labels))


def tell_apart(labels: Tensor, others: Tensor) -> Tensor:
    """(n, m) bool: whether row i and row j are of different instances that can be told apart."""
    instances, groups = split_labels(labels)
    other_instances, other_groups = split_labels(others)
    different = ops.not_equal(instances[:, None], other_instances[None, :])
    alike = ops.logical_and(ops.equal(groups[:, None], other_groups[None, :]), groups[:, None] >= 0)
    return ops.logical_and(different, ops.logical_not(alike))


def split_labels(labels: Tensor) -> tuple[Tensor, Tensor]:
    """(n, 2) -> instances (n,) and groups (n,), int32; Keras hands labels over as float32, exact to 2^24."""
    labels = ops.cast(ops.round(ops.cast(labels, "float32")), "int32")
    return labels[:, 0], labels[:, 1]


def log_sum_exp(values: Tensor, mask: Tensor) -> Tensor:
    """(n, m) -> (n,): log of the sum of exp where the mask holds; about `NOTHING` where it holds nowhere."""
    return ops.logsumexp(ops.where(mask, values, NOTHING), axis=-1)


def mean_where(values: Tensor, mask: Tensor) -> Tensor:
    """The mean where the mask holds; 0 when it holds nowhere."""
    count = ops.sum(ops.cast(mask, "float32"))
    return ops.sum(ops.where(mask, values, 0.0)) / ops.maximum(count, 1.0)


def has_both(pairs: Pairs) -> Tensor:
    """(n,) bool: anchors that have a positive and a negative."""
    return ops.logical_and(ops.any(pairs.positives, axis=-1), ops.any(pairs.negatives, axis=-1))
