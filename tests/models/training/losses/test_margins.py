"""Contrastive and triplet losses against numbers worked by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="losses need keras (requirements-train.txt)")

from skuscan_models.training.losses import build_loss

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of keras

Value = Callable[..., float]

# Cosines: 0-1 0; 0-2 and 1-3 3/5; 0-3 and 1-2 4/5; 2-3 24/25. Squared distances, 2 - 2 cos: 2; 4/5; 2/5; 2/25.
ROWS = [[1, 0], [0, 1], [0.6, 0.8], [0.8, 0.6]]
LABELS = [[0, -1], [0, -1], [1, -1], [1, -1]]


def test_contrastive_pulls_by_the_square_and_pushes_by_what_lacks_of_the_margin(value: Value) -> None:
    # Positives: half of 2 and half of 2/25, their mean. Negatives: half of (1 - sqrt(4/5))^2 and of (1 - sqrt(2/5))^2.
    pull = (2 / 2 + 0.08 / 2) / 2
    push = ((1 - 0.8**0.5) ** 2 / 2 + (1 - 0.4**0.5) ** 2 / 2) / 2
    assert value(build_loss("contrastive", margin=1.0), LABELS, ROWS) == pytest.approx(pull + push)


def test_contrastive_leaves_negatives_beyond_the_margin_alone(value: Value) -> None:
    # Only the two pairs at sqrt(2/5) = 0.632 are nearer than 0.7; the other two count as 0.
    push = (0.7 - 0.4**0.5) ** 2 / 2 / 2
    assert value(build_loss("contrastive", margin=0.7), LABELS, ROWS) == pytest.approx(1.04 / 2 + push)


def test_triplet_compares_the_nearest_negative(value: Value) -> None:
    # Rows 0 and 1: 0.5 + sqrt(2) - sqrt(2/5). Rows 2 and 3: 0.5 + sqrt(2/25) - sqrt(2/5).
    expected = 0.5 + (2**0.5 + 0.08**0.5) / 2 - 0.4**0.5
    assert value(build_loss("triplet", margin=0.5), LABELS, ROWS) == pytest.approx(expected)


def test_triplet_compares_the_farthest_positive(value: Value, gradient: Callable[[Any, Any, Any], Any]) -> None:
    # One instance at 0, 0 and 90 degrees, another once at 180. Rows 0 and 1: farthest sqrt(2), nearest 2.
    # Row 2: farthest sqrt(2), nearest sqrt(2).
    rows, labels = [[1, 0], [1, 0], [0, 1], [-1, 0]], [[0, -1], [0, -1], [0, -1], [1, -1]]
    loss = build_loss("triplet", margin=1.0)
    assert value(loss, labels, rows) == pytest.approx((2 * (1 + 2**0.5 - 2) + 1) / 3)
    assert np.isfinite(gradient(loss, labels, rows)).all()


def test_triplet_is_content_once_the_margin_is_kept(value: Value) -> None:
    # Rows 2 and 3: 0.2 + sqrt(2/25) - sqrt(2/5) = -0.15 counts as 0.
    expected = (0.2 + 2**0.5 - 0.4**0.5) / 2
    assert value(build_loss("triplet", margin=0.2), LABELS, ROWS) == pytest.approx(expected)
