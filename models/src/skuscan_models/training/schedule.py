"""The learning rate over a run: one cycle (Smith and Topin 2017, "Super-convergence")."""

import math
from dataclasses import dataclass

from skuscan_models.training.config import TrainingConfig


@dataclass(frozen=True)
class Schedule:
    """Up in a line, down in a cosine."""

    config: TrainingConfig

    def rate(self, step: int) -> float:
        """Of a step, 0 to `steps` - 1."""
        top, rising = self.config.learning_rate, max(1, round(self.config.warm_up * self.config.steps))
        if step < rising:
            return top * (step + 1) / rising
        done = (step - rising) / max(1, self.config.steps - rising)
        return top * (self.config.last_rate + (1 - self.config.last_rate) * (1 + math.cos(math.pi * done)) / 2)
