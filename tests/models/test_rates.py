import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan_models.rates import tail, threshold_of_rate

NEVER = -math.inf


def test_a_rate_that_the_sample_shows_is_counted() -> None:
    logits = [float(n) for n in range(100)]
    assert sum(logit > threshold_of_rate(logits, 0.2) for logit in logits) == 20


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05])
def test_the_rate_holds_for_logits_that_were_not_in_the_sample(rate: float) -> None:
    rng = np.random.default_rng(5)
    accepted = [
        float((rng.logistic(-4, 1.5, 20_000) > threshold_of_rate(list(rng.logistic(-4, 1.5, 400)), rate)).mean())
        for _ in range(100)
    ]
    assert 0.6 * rate < np.mean(accepted) < 1.1 * rate


def test_a_scan_far_out_is_not_overlooked() -> None:
    logits = [9.0, *[-3.0 - n / 100 for n in range(50)]]
    assert threshold_of_rate(logits, 0.01) >= 9.0
    assert threshold_of_rate(logits, 0.03) < 9.0


def test_a_lower_rate_of_a_known_tail_is_what_exponentials_give() -> None:
    logits = [float(-math.log(share)) for share in np.linspace(1, 0, 20_000, endpoint=False)]
    assert threshold_of_rate(logits, 0.001) == pytest.approx(math.log(1_000), abs=0.15)


@given(st.lists(st.one_of(st.just(NEVER), st.floats(-30, 30)), max_size=60), st.floats(1e-4, 0.9), st.floats(1e-4, 0.9))
def test_a_lower_rate_never_has_a_lower_threshold(logits: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert threshold_of_rate(logits, low) >= threshold_of_rate(logits, high)
    assert threshold_of_rate(logits, low) < math.inf


def test_what_is_never_accepted_needs_no_threshold() -> None:
    assert threshold_of_rate([NEVER] * 50, 0.01) == NEVER
    assert threshold_of_rate([], 0.01) == NEVER


def test_one_accepted_scan_is_its_own_threshold() -> None:
    assert threshold_of_rate([2.0, *[NEVER] * 9], 0.01) == 2.0
    assert tail([2.0]).excesses == 0
