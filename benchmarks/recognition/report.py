"""From a device's answers to the results: sets, false accepts, aims."""

import hashlib
import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from benchmarks.recognition.shops import LEFT_OUT, NEGATIVES, NOTHING, QUERIES, Shop
from benchmarks.recognition.work import Answers
from skuscan.model import Model
from skuscan_server.evaluation.metrics import Z_95, Rate, rate_fields
from skuscan_server.evaluation.outcome import QueryOutcome
from skuscan_server.evaluation.summary import summary

DECIMALS = 4  # of shares in the results
LIBRARIES = ("numpy", "opencv-python-headless", "pillow", "ai-edge-litert", "annoy")
POOL = "apc2015+arc2017"

Results = dict[str, Any]


@dataclass(frozen=True)
class Aim:
    """A number that has to be reached.

    Attributes:
        title: For people.
        path: Where it stands in the results.
        bound: It is at least this, or at most when `at_most`.
        at_most: Which of the two.
    """

    title: str
    path: tuple[str, ...]
    bound: float
    at_most: bool = False

    def judge(self, results: Results) -> Results | None:
        """What was measured and whether it is enough; None when it was not measured."""
        at: Any = results
        for name in self.path[:-1]:
            at = at.get(name, {})
        value = at.get(self.path[-1])
        if value is None:
            return None
        met = value <= self.bound if self.at_most else value >= self.bound
        interval = at.get(f"{self.path[-1]}_interval")
        return {"aim": self.title, "bound": self.bound, "measured": value, "interval": interval, "met": met}


PACKAGED = ("sets", "groceries-packaged")
AIMS = (
    Aim("packaged groceries, recall@1 >= 0.93", (*PACKAGED, "recall_at_1"), 0.93),
    Aim("packaged groceries, embedding only >= 0.85", (*PACKAGED, "ablation", "embedding", "recall_at_1"), 0.85),
    Aim("packaged groceries, shortlist@10 >= 0.995", (*PACKAGED, "shortlist_recall_at_10"), 0.995),
    Aim("snack crops, recall@1 >= 0.98", ("sets", "shelves", "recall_at_1"), 0.98),
    Aim("apc2015 and arc2017 pooled, recall@1 >= 0.93", ("sets", POOL, "recall_at_1"), 0.93),
    Aim("produce by photos, recall@1 >= 0.87", ("sets", "produce-photos", "recall_at_1"), 0.87),
    Aim("81 grocery classes, k = 1, recall@1 >= 0.65", ("sets", "groceries-81-k1", "recall_at_1"), 0.65),
    Aim("81 grocery classes, k = 8, recall@1 >= 0.88", ("sets", "groceries-81-k8", "recall_at_1"), 0.88),
    Aim("packaged groceries, coverage >= 0.80", (*PACKAGED, "coverage"), 0.80),
    Aim("packaged groceries, precision >= 0.99", (*PACKAGED, "precision"), 0.99),
    Aim("10,000 distractors, loss of recall@1 <= 0.02", ("sets", "groceries-packaged-distractors", "loss"), 0.02, True),
    Aim("false accepts of negatives, worst set, <= 1 of 221", ("false_accepts", NEGATIVES, "worst"), 1 / 221, True),
    Aim("false accepts of nothing <= 0.1%", ("false_accepts", NOTHING, "false_accept_rate"), 0.001, True),
    Aim("false accepts of left-out SKUs <= 1%", ("false_accepts", LEFT_OUT, "false_accept_rate"), 0.01, True),
)


def results_of(shops: Sequence[Shop], answers: Mapping[str, Answers], pooled: Sequence[str] = ()) -> Results:
    """Everything that is counted.

    Args:
        shops: What was asked.
        answers: By shop.
        pooled: Shops whose answers are counted together too.
    """
    sets: Results = {}
    for shop in shops:
        if QUERIES in shop.asked:
            sets[shop.key] = _set_report(shop, answers[shop.key])
        if shop.beside in answers:
            asked = (answers[key].outcomes[QUERIES] for key in (shop.beside, shop.key))
            sets[shop.key] |= paired_loss(*([outcome.right for outcome in outcomes] for outcomes in asked))
    if pooled and set(pooled) <= set(sets):
        several = [answers[key].outcomes for key in pooled]
        queries, negatives = (_joined(outcomes.get(kind, []) for outcomes in several) for kind in (QUERIES, NEGATIVES))
        sets["+".join(pooled)] = {"title": " and ".join(pooled), **summary(queries, negatives)}
    results: Results = {"sets": sets, "false_accepts": _false_accepts(shops, answers, sets)}
    judged = [aim.judge(results) for aim in AIMS]
    results["aims"] = [one for one in judged if one is not None]
    return {name: rounded(part) for name, part in results.items()}


def paired_loss(before: Sequence[bool], after: Sequence[bool]) -> Results:
    """How much smaller the share of true outcomes is after a change, of the same n queries, with its 95% interval.

    Bonett and Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on paired
    data".
    """
    n = len(before)
    lost, won = (sum(a and not b for a, b in zip(x, y, strict=True)) for x, y in ((before, after), (after, before)))
    p_lost, p_won = (lost + 1) / (n + 2), (won + 1) / (n + 2)
    half = Z_95 * math.sqrt((p_lost + p_won - (p_lost - p_won) ** 2) / (n + 2))
    return {"loss": (lost - won) / n, "loss_interval": [p_lost - p_won - half, p_lost - p_won + half]}


def provenance(model: Model, command: str, false_accept_rate: float) -> Results:
    """What made the results: no dates and no places."""
    decision = model.artifact.decision.SerializeToString(deterministic=True)
    return {
        "command": command,
        "model": model.artifact.name,
        "feature_space": model.feature_space.hex(),
        "decision_sha256": hashlib.sha256(decision).hexdigest(),
        "false_accept_rate": false_accept_rate,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }


def rounded(value: Any) -> Any:
    """The same with its floats rounded: the rest of the digits are noise."""
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list | tuple) else value


def _set_report(shop: Shop, answers: Answers) -> Results:
    return {
        "title": shop.title,
        "skus": len(shop.plan.products),
        "references": len(shop.plan.sources),
        "bytes_per_reference": answers.bytes_per_reference,
        **summary(answers.outcomes[QUERIES], answers.outcomes.get(NEGATIVES, [])),
    }


def _false_accepts(shops: Sequence[Shop], answers: Mapping[str, Answers], sets: Results) -> Results:
    """Matches of what the catalogue does not hold: rates by kind, and by the shop that was asked."""
    found: Results = {}
    for kind in (NEGATIVES, NOTHING, LEFT_OUT):
        by_title: dict[str, list[QueryOutcome]] = {}
        for shop in shops:
            if outcomes := answers[shop.key].outcomes.get(kind):
                by_title.setdefault(shop.title, []).extend(outcomes)
        if by_title:
            found[kind] = _accepts(_joined(by_title.values()))
            found[kind]["shops"] = {title: _accepts(outcomes) for title, outcomes in by_title.items()}
            found[kind]["worst"] = max(one["false_accept_rate"] for one in found[kind]["shops"].values())
    return found


def _accepts(outcomes: Sequence[QueryOutcome]) -> Results:
    accepted = Rate.of(outcome.decision == "match" for outcome in outcomes)
    listed = Rate.of(outcome.decision == "ambiguous" for outcome in outcomes)
    rates = rate_fields("false_accept_rate", accepted) | rate_fields("false_short_list_rate", listed)
    return {"n": accepted.n, "false_accepts": accepted.hits, **rates}


def _joined(several: Iterable[Iterable[QueryOutcome]]) -> list[QueryOutcome]:
    return [outcome for some in several for outcome in some]
