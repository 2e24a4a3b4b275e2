"""Numbers that judge answers: rates with intervals, ranks, separation, calibration. Pure.

A rate comes with its Wilson score interval (Wilson 1927, "Probable inference, the law of succession, and statistical
inference") at 95%, which stays honest for few queries and for rates near 0 and 1.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Z_95 = 1.959963984540054  # the normal quantile of a two-sided 95% interval
CURVE_POINTS = 50  # of a coverage and precision curve


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


def rate_fields(name: str, rate: Rate) -> dict[str, object]:
    """`{name: value, name_interval: [low, high]}`; None without data."""
    interval = rate.interval
    return {name: rate.value, f"{name}_interval": list(interval) if interval else None}


def average_precision(truth: str | None, ranking: Sequence[str]) -> float:
    """Of one query with one right answer: 1 / its rank; 0 when the ranking ends before it."""
    return 1 / (ranking.index(truth) + 1) if truth in ranking else 0.0


def ndcg(truth: str | None, ranking: Sequence[str], depth: int) -> float:
    """Of one query with one right answer: 1 / log2(1 + rank) down to a depth (Jarvelin and Kekalainen 2002)."""
    return 1 / math.log2(ranking.index(truth) + 2) if truth in ranking[:depth] else 0.0


def auroc(known: Sequence[float], unknown: Sequence[float]) -> float | None:
    """How often a known scan has the higher score than an unknown one, ties counted half; None without either.

    This is the area under the ROC curve (Hanley and McNeil 1982).
    """
    if not known or not unknown:
        return None
    ordered = np.sort(np.asarray(unknown, np.float64))
    scores = np.asarray(known, np.float64)
    below, up_to = (np.searchsorted(ordered, scores, side) for side in ("left", "right"))
    return float((below + up_to).mean() / (2 * len(ordered)))


@dataclass(frozen=True)
class CurvePoint:
    """What an acceptance threshold gives.

    Attributes:
        threshold: Answers of at least this probability are accepted.
        coverage: Share of the queries accepted.
        precision: Share of those that are right.
    """

    threshold: float
    coverage: float
    precision: float


def coverage_curve(probabilities: Sequence[float], right: Sequence[bool]) -> list[CurvePoint]:
    """Coverage and precision over all thresholds (El-Yaniv and Wiener 2010), from few accepted to all of them."""
    if not probabilities:
        return []
    scores: npt.NDArray[np.float64] = np.asarray(probabilities, np.float64)
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(np.asarray(right, np.bool_)[order])
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # equal scores are accepted together
    chosen = ends[np.unique(np.linspace(0, len(ends) - 1, min(CURVE_POINTS, len(ends))).round().astype(int))]
    return [
        CurvePoint(float(scores[order[end]]), float((end + 1) / len(scores)), float(hits[end] / (end + 1)))
        for end in chosen
    ]
