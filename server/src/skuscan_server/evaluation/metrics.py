"""What an evaluation reports, from the answers to its queries. Pure.

A rate comes with its Wilson score interval (Wilson 1927, "Probable inference, the law of succession, and statistical
inference") at 95%, which stays honest for few queries and for rates near 0 and 1.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

Z_95 = 1.959963984540054  # the normal quantile of a two-sided 95% interval


@dataclass(frozen=True)
class Rate:
    """A share with its interval.

    Attributes:
        hits: How often it held.
        n: Out of how many; with 0 the value is None.
    """

    hits: int
    n: int

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> "Rate":
        """The share of true outcomes."""
        listed = list(outcomes)
        return cls(sum(listed), len(listed))

    @property
    def value(self) -> float | None:
        """hits / n."""
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The Wilson interval at 95%."""
        if not self.n:
            return None
        share, z2 = self.hits / self.n, Z_95**2
        centre = (share + z2 / (2 * self.n)) / (1 + z2 / self.n)
        half = Z_95 / (1 + z2 / self.n) * math.sqrt(share * (1 - share) / self.n + z2 / (4 * self.n**2))
        return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True)
class QueryOutcome:
    """What one query picture got. SKUs stand for their groups already.

    Attributes:
        file: The picture.
        truth: Its SKU; None for a negative.
        decision: `match`, `ambiguous` or `unknown`.
        ranked: The answers, best first, each SKU or group once.
        shortlist: The embedding's shortlist, best first.
        milliseconds: Of `identify`, decoding included.
    """

    file: str
    truth: str | None
    decision: str
    ranked: tuple[str, ...]
    shortlist: tuple[str, ...]
    milliseconds: float

    def right_within(self, count: int) -> bool:
        """Whether the truth is among the first `count` answers."""
        return self.truth in self.ranked[:count]


def ungrouped(skus: Iterable[str], group_of: dict[str, str]) -> tuple[str, ...]:
    """Replace SKUs by their groups and keep each the first time it comes."""
    return tuple(dict.fromkeys(group_of.get(sku, sku) for sku in skus))


def summary(queries: Sequence[QueryOutcome], negatives: Sequence[QueryOutcome]) -> dict[str, object]:
    """The report's numbers.

    Returns:
        `n` and, for every rate, its value under its name and `[low, high]` under `<name>_interval`; None without data.
    """
    answered = [q for q in queries if q.decision == "match"]
    rates = {
        "recall_at_1": Rate.of(q.right_within(1) for q in queries),
        "recall_at_5": Rate.of(q.right_within(5) for q in queries),
        "shortlist_recall_at_20": Rate.of(q.truth in q.shortlist[:20] for q in queries),
        "coverage": Rate(len(answered), len(queries)),
        "precision": Rate.of(q.right_within(1) for q in answered),
        "false_accept_rate": Rate.of(q.decision == "match" for q in negatives),
    }
    report: dict[str, object] = {"n": len(queries), "negatives": len(negatives)}
    for name, rate in rates.items():
        report |= rate_fields(name, rate)
    times = [q.milliseconds for q in queries]
    report["latency_ms"] = {
        "p50": float(np.percentile(times, 50)) if times else None,
        "p95": float(np.percentile(times, 95)) if times else None,
    }
    return report


def rate_fields(name: str, rate: Rate) -> dict[str, object]:
    """`{name: value, name_interval: [low, high]}`."""
    interval = rate.interval
    return {name: rate.value, f"{name}_interval": list(interval) if interval else None}
