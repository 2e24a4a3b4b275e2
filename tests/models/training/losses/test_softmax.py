"""NT-Xent and the supervised contrastive loss against numbers worked by hand."""

from collections.abc import Callable
from math import exp, log

import pytest

pytest.importorskip("keras", reason="losses need keras (requirements-train.txt)")

from skuscan_models.training.losses import build_loss

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of keras

Value = Callable[..., float]

# Two instances, two pictures each, on the circle: rows 0 and 1 at 0 degrees, rows 2 and 3 at 90 and 60 degrees.
# Cosines: 0-1 1; 0-2 and 1-2 0; 0-3 and 1-3 1/2; 2-3 sqrt(3)/2.
ROWS = [[1, 0], [1, 0], [0, 1], [0.5, 0.75**0.5]]
LABELS = [[0, -1], [0, -1], [1, -1], [1, -1]]
ROOT = 0.75**0.5


@pytest.mark.parametrize("name", ["nt-xent", "supcon"])
def test_two_pictures_of_each_instance_give_the_cross_entropy_worked_by_hand(value: Value, name: str) -> None:
    # Temperature 1. Row 0: -log(e^1 / (e^1 + e^0 + e^.5)); row 1 alike.
    # Row 2: -log(e^r / (e^r + e^0 + e^0)); row 3: -log(e^r / (e^r + e^.5 + e^.5)).
    row0 = log(1 + (1 + exp(0.5)) / exp(1))
    row2 = log(1 + 2 / exp(ROOT))
    row3 = log(1 + 2 * exp(0.5) / exp(ROOT))
    assert value(build_loss(name, temperature=1.0), LABELS, ROWS) == pytest.approx((2 * row0 + row2 + row3) / 4)


# Three pictures of one instance at 0, 0 and 90 degrees, one of another at 180 degrees.
# Cosines: 0-1 1; 0-2, 1-2 and 2-3 0; 0-3 and 1-3 -1.
THREE = [[1, 0], [1, 0], [0, 1], [-1, 0]]
THREE_LABELS = [[0, -1], [0, -1], [0, -1], [1, -1]]


def test_nt_xent_keeps_other_positives_out_of_the_denominator(value: Value) -> None:
    # Pairs 0-1 and 1-0: log(1 + e^(-1 - 1)); 0-2 and 1-2: log(1 + e^(-1 - 0)); 2-0 and 2-1: log(1 + e^(0 - 0)).
    expected = (2 * log(1 + exp(-2)) + 2 * log(1 + exp(-1)) + 2 * log(2)) / 6
    assert value(build_loss("nt-xent", temperature=1.0), THREE_LABELS, THREE) == pytest.approx(expected)


def test_supcon_shares_one_denominator_among_all_positives(value: Value) -> None:
    # Row 0 (and 1): denominator e^1 + e^0 + e^-1, positives 1 and 0, so log(D) - 1/2.
    # Row 2: denominator e^0 + e^0 + e^0, both positives 0, so log(3). Row 3 has no positive and does not count.
    row0 = log(exp(1) + 1 + exp(-1)) - 0.5
    expected = (2 * row0 + log(3)) / 3
    assert value(build_loss("supcon", temperature=1.0), THREE_LABELS, THREE) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["nt-xent", "supcon"])
def test_the_temperature_divides_cosines(value: Value, name: str) -> None:
    # One instance twice at 0 degrees, another once at 90: cosines 1 and 0, divided by 0.5.
    rows, labels = [[1, 0], [1, 0], [0, 1]], [[0, -1], [0, -1], [1, -1]]
    assert value(build_loss(name, temperature=0.5), labels, rows) == pytest.approx(log(1 + exp(-2)))
