"""Losses over distances: near enough is near enough. Unit rows are 0 to 2 apart."""

from dataclasses import dataclass

import keras
from keras import ops

from skuscan_models.training.losses.pairs import NOTHING, PACKAGE, PairLoss, Pairs, Tensor, has_both, mean_where

MIN_SQUARED_DISTANCE = 1e-6  # below it rows are taken for equal: the slope of the root there is without bound


@keras.saving.register_keras_serializable(PACKAGE)
@dataclass(frozen=True)
class Contrastive(PairLoss):
    """Positives to one point, negatives to a distance.

    Hadsell et al. 2006, "Dimensionality Reduction by Learning an Invariant Mapping", equation 4: half the squared
    distance of a positive pair, half the square of what a negative pair lacks of the margin. The two kinds are
    averaged apart, since a batch has a hundred times more negatives.

    Attributes:
        margin: Distance from which on a negative pair is far enough.
    """

    margin: float = 1.0

    def of(self, pairs: Pairs) -> Tensor:
        """The mean over positive pairs and the mean over negative pairs, added."""
        pull = ops.maximum(1 - pairs.similarities, 0.0)  # half the squared distance of unit rows
        push = ops.square(ops.relu(self.margin - distances(pairs.similarities))) / 2
        return mean_where(pull, pairs.positives) + mean_where(push, pairs.negatives)


@keras.saving.register_keras_serializable(PACKAGE)
@dataclass(frozen=True)
class Triplet(PairLoss):
    """The farthest positive of each row must be nearer than its nearest negative.

    Hermans et al. 2017, "In Defense of the Triplet Loss for Person Re-Identification", equation 5 ("batch hard"), over
    distances that are not squared.

    Attributes:
        margin: By how much nearer.
    """

    margin: float = 0.2

    def of(self, pairs: Pairs) -> Tensor:
        """The mean over anchors that have a positive and a negative."""
        farthest = -ops.max(ops.where(pairs.positives, -pairs.similarities, NOTHING), axis=-1)
        nearest = ops.max(ops.where(pairs.negatives, pairs.similarities, NOTHING), axis=-1)
        counted = has_both(pairs)
        gap = distances(ops.where(counted, farthest, 0.0)) - distances(ops.where(counted, nearest, 0.0))
        return mean_where(ops.relu(self.margin + gap), counted)


def distances(similarities: Tensor) -> Tensor:
    """Between unit rows of those cosines."""
    return ops.sqrt(ops.maximum(2 - 2 * similarities, MIN_SQUARED_DISTANCE))
