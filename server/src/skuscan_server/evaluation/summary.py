"""The report of one set of queries, from their outcomes. Pure.

Rates are shares of the queries; `precision` is of the matches, `short_list_precision` of the ambiguous answers,
`false_accept_rate` of the negatives. `reliability` and `ece` judge the probability of the best candidate of queries and
negatives together, since a device sees both.
"""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from skuscan_models.reliability import reliability
from skuscan_server.evaluation.metrics import Rate, auroc, average_precision, coverage_curve, ndcg, rate_fields
from skuscan_server.evaluation.outcome import QueryOutcome

NDCG_DEPTH = 5


def summary(queries: Sequence[QueryOutcome], negatives: Sequence[QueryOutcome]) -> dict[str, object]:
    """The report's numbers.

    Returns:
        `n` and, for every rate, its value under its name and `[low, high]` under `<name>_interval`; None without data.
    """
    matches = [q for q in queries if q.decision == "match"]
    lists = [q for q in queries if q.decision == "ambiguous"]
    rates = {
        "recall_at_1": Rate.of(q.right for q in queries),
        "recall_at_5": Rate.of(q.right_within(5) for q in queries),
        "shortlist_recall_at_10": Rate.of(q.truth in q.shortlists.get(10, ()) for q in queries),
        "shortlist_recall_at_20": Rate.of(q.truth in q.shortlists.get(20, ()) for q in queries),
        "coverage": Rate(len(matches), len(queries)),
        "precision": Rate.of(q.right for q in matches),
        "ambiguous_rate": Rate(len(lists), len(queries)),
        "short_list_precision": Rate.of(q.truth in q.answered for q in lists),
        "false_accept_rate": Rate.of(q.decision == "match" for q in negatives),
        "false_short_list_rate": Rate.of(q.decision == "ambiguous" for q in negatives),
        "verification_skipped": Rate.of(not q.verified for q in queries),
        "closer_looks": Rate.of(q.closer for q in queries),
    }
    report: dict[str, object] = {"n": len(queries), "negatives": len(negatives)}
    for name, rate in rates.items():
        report |= rate_fields(name, rate)
    report |= _ranking_fields([(q.truth, q.ranked) for q in queries])
    report |= _probability_fields(queries, negatives)
    report["ablation"] = ablation(queries)
    report["latency_ms"] = latency(queries)
    return report


def ablation(queries: Sequence[QueryOutcome]) -> dict[str, object]:
    """What each part of the way would have answered by itself, and what the whole answered (`decision`)."""
    names = dict.fromkeys(name for query in queries for name in query.rankings)
    parts = {name: [(q.truth, q.rankings[name]) for q in queries if name in q.rankings] for name in names}
    parts["decision"] = [(q.truth, q.ranked) for q in queries]
    return {
        name: rate_fields("recall_at_1", Rate.of(truth in ranking[:1] for truth, ranking in part))
        | rate_fields("recall_at_5", Rate.of(truth in ranking[:5] for truth, ranking in part))
        | _ranking_fields(part)
        for name, part in parts.items()
    }


def latency(queries: Sequence[QueryOutcome]) -> dict[str, float | None]:
    """Median and 95th percentile of the milliseconds of a scan."""
    times = [q.milliseconds for q in queries]
    return {f"p{share}": float(np.percentile(times, share)) if times else None for share in (50, 95)}


def _ranking_fields(ranked: Sequence[tuple[str | None, Sequence[str]]]) -> dict[str, object]:
    return {
        "map": _mean([average_precision(truth, ranking) for truth, ranking in ranked]),
        f"ndcg_at_{NDCG_DEPTH}": _mean([ndcg(truth, ranking, NDCG_DEPTH) for truth, ranking in ranked]),
    }


def _probability_fields(queries: Sequence[QueryOutcome], negatives: Sequence[QueryOutcome]) -> dict[str, object]:
    everything = [*queries, *negatives]
    measured = reliability([q.probability for q in everything], [q.right for q in everything])
    curve = coverage_curve([q.probability for q in queries], [q.right for q in queries])
    return {
        "auroc": auroc([q.probability for q in queries], [q.probability for q in negatives]),
        "ece": measured.ece if everything else None,
        "reliability": [asdict(one) for one in measured.bins],
        "coverage_curve": [asdict(point) for point in curve],
    }


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
