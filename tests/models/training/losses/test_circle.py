"""Circle loss against numbers worked by hand."""

from collections.abc import Callable
from math import exp, log
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="losses need keras (requirements-train.txt)")

from skuscan_models.training.losses import build_loss

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of keras

# Cosines: 0-1 0.6, a positive pair; 0-2 0 and 1-2 0.8, negative ones. Margin 0.25, scale 2.
ROWS = [[1, 0], [0.6, 0.8], [0, 1]]
LABELS = [[0, -1], [0, -1], [1, -1]]
# Positive of both: weight 1.25 - 0.6 = 0.65, logit -2 * 0.65 * (0.6 - 0.75) = 0.195.
# Negative of row 0: weight 0 + 0.25, logit 2 * 0.25 * (0 - 0.25) = -0.125; of row 1: weight 1.05, logit 1.155.
SUM0, SUM1 = 0.195 - 0.125, 0.195 + 1.155


def test_circle_weighs_each_pair_by_how_far_it_is_from_its_aim(value: Callable[..., float]) -> None:
    expected = (log(1 + exp(SUM0)) + log(1 + exp(SUM1))) / 2
    assert value(build_loss("circle", margin=0.25, scale=2.0), LABELS, ROWS) == pytest.approx(expected)


def test_circle_does_not_learn_through_its_weights(gradient: Callable[[Any, Any, Any], Any]) -> None:
    # Row 2 moves the loss through its two cosines only: half of scale * weight * sigmoid(sum) times the anchor.
    slope0, slope1 = 2 * 0.25 / (1 + exp(-SUM0)), 2 * 1.05 / (1 + exp(-SUM1))
    found = gradient(build_loss("circle", margin=0.25, scale=2.0), LABELS, ROWS)[2]
    np.testing.assert_allclose(found, [(slope0 + 0.6 * slope1) / 2, 0.8 * slope1 / 2], rtol=1e-5)
