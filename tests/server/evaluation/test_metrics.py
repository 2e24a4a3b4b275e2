"""The evaluation's numbers, against hand-worked ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan_server.evaluation.metrics import QueryOutcome, Rate, summary, ungrouped


def outcome(truth: str | None, decision: str, ranked: tuple[str, ...], shortlist: tuple[str, ...] = ()) -> QueryOutcome:
    return QueryOutcome("q.jpg", truth, decision, ranked, shortlist or ranked, 10.0)


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


def test_skus_of_one_group_count_as_one_answer() -> None:
    assert ungrouped(["a-30g", "b", "a-90g", "c"], {"a-30g": "a", "a-90g": "a"}) == ("a", "b", "c")


def test_the_summary_counts_what_its_names_say() -> None:
    report = summary(
        [
            outcome("a", "match", ("a", "b")),
            outcome("a", "match", ("b", "a")),
            outcome("a", "unknown", ("b", "c", "d", "e", "f", "a"), ("x",)),
            outcome("a", "ambiguous", ("a",)),
        ],
        [outcome(None, "match", ("a",)), outcome(None, "unknown", ())],
    )
    assert report["n"] == 4
    assert report["recall_at_1"] == 0.5
    assert report["recall_at_5"] == 0.75
    assert report["shortlist_recall_at_20"] == 0.75
    assert report["coverage"] == 0.5
    assert report["precision"] == 0.5
    assert report["false_accept_rate"] == 0.5
    assert report["latency_ms"] == {"p50": 10.0, "p95": 10.0}


def test_without_negatives_the_false_accept_rate_is_null() -> None:
    report = summary([outcome("a", "match", ("a",))], [])
    assert report["false_accept_rate"] is None
    assert report["false_accept_rate_interval"] is None
