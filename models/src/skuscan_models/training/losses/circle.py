"""Circle loss: pairs far from where they should be are pulled harder than those that are nearly there."""

from dataclasses import dataclass

import keras
from keras import ops

from skuscan_models.training.losses.pairs import PACKAGE, PairLoss, Pairs, Tensor, has_both, log_sum_exp, mean_where


@keras.saving.register_keras_serializable(PACKAGE)
@dataclass(frozen=True)
class Circle(PairLoss):
    """Sun et al. 2020, "Circle Loss: A Unified Perspective of Pair Similarity Optimization", equation 8.

    Attributes:
        margin: Positives aim at a cosine of 1 + margin and count as done above 1 - margin; negatives aim at -margin
            and count as done below margin.
        scale: Of the logits.
    """

    margin: float = 0.25
    scale: float = 128.0

    def of(self, pairs: Pairs) -> Tensor:
        """The mean over anchors that have a positive and a negative."""
        cosines = pairs.similarities
        # The weights pace the learning and are no part of what is learned (section 3.1).
        pull = ops.stop_gradient(ops.relu(1 + self.margin - cosines))
        push = ops.stop_gradient(ops.relu(cosines + self.margin))
        positives = log_sum_exp(-self.scale * pull * (cosines - (1 - self.margin)), pairs.positives)
        negatives = log_sum_exp(self.scale * push * (cosines - self.margin), pairs.negatives)
        return mean_where(ops.softplus(positives + negatives), has_both(pairs))
