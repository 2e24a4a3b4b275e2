"""A set's report: what each name counts."""

from dataclasses import replace
from typing import Any

import pytest

from skuscan.verification import Geometry
from skuscan_server.evaluation.outcome import QueryOutcome, ungrouped
from skuscan_server.evaluation.scanning import fused_score
from skuscan_server.evaluation.summary import summary


def outcome(truth: str | None, decision: str, ranked: tuple[str, ...], **other: Any) -> QueryOutcome:
    answered = {"match": ranked[:1], "ambiguous": ranked[:2]}.get(decision, ())
    given = {
        "answered": answered,
        "shortlists": {10: ranked[:10], 20: ranked[:20]},
        "probability": 0.5,
        "milliseconds": 10.0,
    }
    return QueryOutcome("q.jpg", truth, decision, ranked=ranked, **(given | other))


KNOWN = [
    outcome("a", "match", ("a", "b"), probability=0.9, rankings={"embedding": ("b", "a")}),
    outcome("a", "match", ("b", "a"), probability=0.8, rankings={"embedding": ("a",)}, closer=True),
    outcome("a", "unknown", ("b", "c", "d", "e", "f", "a"), shortlists={10: ("x",), 20: ("x", "a")}, verified=False),
    outcome("a", "ambiguous", ("b", "a"), rankings={"embedding": ("c", "a")}),
]
NEGATIVES = [
    outcome(None, "match", ("a",), probability=0.85),
    outcome(None, "ambiguous", ("a", "b"), probability=0.1),
    outcome(None, "unknown", ()),
]


def test_skus_of_one_group_count_as_one_answer() -> None:
    assert ungrouped(["a-30g", "b", "a-90g", "c"], {"a-30g": "a", "a-90g": "a"}) == ("a", "b", "c")


def test_every_rate_counts_what_its_name_says() -> None:
    report = summary(KNOWN, NEGATIVES)
    assert (report["n"], report["negatives"]) == (4, 3)
    assert report["recall_at_1"] == 0.25
    assert report["recall_at_5"] == 0.75
    assert report["shortlist_recall_at_10"] == 0.75
    assert report["shortlist_recall_at_20"] == 1.0
    assert report["coverage"] == 0.5
    assert report["precision"] == 0.5
    assert report["ambiguous_rate"] == 0.25
    assert report["short_list_precision"] == 1.0
    assert report["false_accept_rate"] == report["false_short_list_rate"] == pytest.approx(1 / 3)
    assert report["verification_skipped"] == 0.25
    assert report["closer_looks"] == 0.25
    assert report["map"] == pytest.approx((1 + 1 / 2 + 1 / 6 + 1 / 2) / 4)
    assert report["latency_ms"] == {"p50": 10.0, "p95": 10.0}


def test_the_ablation_judges_each_part_on_the_queries_that_it_was_asked() -> None:
    report: Any = summary(KNOWN, NEGATIVES)
    assert set(report["ablation"]) == {"embedding", "decision"}
    assert report["ablation"]["embedding"]["recall_at_1"] == pytest.approx(1 / 3)
    assert report["ablation"]["decision"]["recall_at_1"] == report["recall_at_1"]


def test_a_negative_is_never_right_in_the_reliability_diagram() -> None:
    report: Any = summary([], [outcome(None, "match", (), probability=0.9)])
    assert report["ece"] == pytest.approx(0.9)


def test_without_negatives_their_rates_are_null() -> None:
    report = summary([outcome("a", "match", ("a",))], [])
    assert report["false_accept_rate"] is None
    assert report["false_accept_rate_interval"] is None
    assert report["auroc"] is None


def test_the_fixed_rule_lets_few_inliers_count_for_nothing() -> None:
    few, enough = (replace(Geometry.none(), inliers=inliers) for inliers in (5, 6))
    assert fused_score(0.7, None) == fused_score(0.7, few) == 0.7
    assert fused_score(0.6, enough) > 1.0
