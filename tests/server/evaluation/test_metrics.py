"""The evaluation's numbers, against hand-worked ones."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan_server.evaluation.metrics import Rate, auroc, average_precision, coverage_curve, ndcg


def test_the_wilson_interval_agrees_with_a_worked_example() -> None:
    # Newcombe 1998, table I: 81 of 263 -> 0.2553 to 0.3662; 0 of 20 -> 0 to 0.1611.
    low, high = Rate(81, 263).interval or (0, 0)
    assert (low, high) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert Rate(0, 20).interval == pytest.approx((0.0, 0.1611), abs=1e-4)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_rate_and_stays_in_the_unit_range(pair: tuple[int, int]) -> None:
    rate = Rate(*pair)
    low, high = rate.interval or (1.0, 0.0)
    assert 0 <= low <= (rate.value or 0) + 1e-12
    assert (rate.value or 0) - 1e-12 <= high <= 1


def test_a_rate_of_nothing_has_no_value() -> None:
    assert Rate(0, 0).value is None
    assert Rate(0, 0).interval is None


def test_with_one_right_answer_average_precision_is_one_over_its_rank() -> None:
    assert average_precision("b", ("a", "b", "c")) == 0.5
    assert average_precision("x", ("a", "b", "c")) == 0.0


def test_ndcg_falls_with_the_logarithm_of_the_rank_and_ends_at_its_depth() -> None:
    assert ndcg("a", ("a", "b"), 5) == 1.0
    assert ndcg("c", ("a", "b", "c"), 5) == pytest.approx(1 / math.log2(4))
    assert ndcg("c", ("a", "b", "c"), 2) == 0.0


def test_auroc_counts_the_pairs_in_the_right_order_and_ties_half() -> None:
    # Pairs: 0.9 beats both; 0.5 beats 0.1 and ties with 0.5: (2 + 1.5) of 4.
    assert auroc([0.9, 0.5], [0.5, 0.1]) == pytest.approx(3.5 / 4)
    assert auroc([0.9], []) is None


def test_the_curve_accepts_from_the_most_probable_answer_down_to_all() -> None:
    points = coverage_curve([0.9, 0.2, 0.6, 0.6], [True, False, True, False])
    found = [(point.threshold, point.coverage, point.precision) for point in points]
    assert found == [(0.9, 0.25, 1.0), (0.6, 0.75, pytest.approx(2 / 3)), (0.2, 1.0, 0.5)]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=300))
def test_the_curve_ends_at_full_coverage_with_the_overall_share(scored: list[tuple[float, bool]]) -> None:
    points = coverage_curve([score for score, _ in scored], [right for _, right in scored])
    assert points[-1].coverage == 1.0
    assert points[-1].precision == pytest.approx(sum(right for _, right in scored) / len(scored))
    assert [point.coverage for point in points] == sorted(point.coverage for point in points)
