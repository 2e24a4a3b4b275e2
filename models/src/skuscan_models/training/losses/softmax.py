"""Losses that classify: of all rows, which is another picture of this one?"""

from dataclasses import dataclass

import keras
from keras import ops

from skuscan_models.training.losses.pairs import PACKAGE, PairLoss, Pairs, Tensor, log_sum_exp, mean_where


@keras.saving.register_keras_serializable(PACKAGE)
@dataclass(frozen=True)
class NTXent(PairLoss):
    """The normalised, temperature-scaled cross entropy.

    Oord et al. 2018, "Representation Learning with Contrastive Predictive Coding" (InfoNCE); Chen et al. 2020, "A
    Simple Framework for Contrastive Learning of Visual Representations", equation 1. Every positive pair (i, p) stands
    alone against the negatives of i: other positives of i are in no denominator.

    Attributes:
        temperature: Cosines are divided by it: the smaller, the more the hardest negatives count.
    """

    temperature: float = 0.07

    def of(self, pairs: Pairs) -> Tensor:
        """The mean over positive pairs."""
        logits = pairs.similarities / self.temperature
        negatives = log_sum_exp(logits, pairs.negatives)
        return mean_where(ops.softplus(negatives[:, None] - logits), pairs.positives)


@keras.saving.register_keras_serializable(PACKAGE)
@dataclass(frozen=True)
class SupCon(PairLoss):
    """Supervised contrastive loss: all positives of an anchor share one denominator.

    Khosla et al. 2020, "Supervised Contrastive Learning", equation 2 (the sum outside the logarithm). With two pictures
    of every instance it is NT-Xent.

    Attributes:
        temperature: As in `NTXent`.
    """

    temperature: float = 0.07

    def of(self, pairs: Pairs) -> Tensor:
        """The mean over anchors that have a positive."""
        logits = pairs.similarities / self.temperature
        denominators = log_sum_exp(logits, ops.logical_or(pairs.positives, pairs.negatives))
        positives = ops.sum(ops.cast(pairs.positives, "float32"), axis=-1)
        surprise = ops.where(pairs.positives, denominators[:, None] - logits, 0.0)
        return mean_where(ops.sum(surprise, axis=-1) / ops.maximum(positives, 1.0), positives > 0)
