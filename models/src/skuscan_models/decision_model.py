"""A logistic model of named evidence, fitted on measured scans, and its thresholds.

Weights keep the signs of `FEATURE_SIGNS`; every catalogue counts the same. Thresholds come from out-of-fold
predictions: no product is judged by coefficients that were fitted on it. They hold in the worst of the catalogues, not
on their average: drawn scans and photos of nothing are easily refused, and would hide what real photos do.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from skuscan.decision import FEATURE_SIGNS, Decider, Looks, Measured, Rated, ahead, compare, features
from skuscan.proto.bundle_pb2 import Calibration, DecisionCoefficients
from skuscan_models.decision_scans import MeasuredScan
from skuscan_models.rates import threshold_of_rate

FEATURES = tuple(FEATURE_SIGNS)
ALL = ""  # catalogues together
ALIKE = "produce"  # its kinds look so alike that one left out is no foreign product

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FitOptions:
    """How coefficients are fitted."""

    false_accept_rate: float = 0.01  # of scans that show no product of the catalogue, in each of the catalogues
    left_out_allowance: float = 5.0  # times that rate, of products left out beside near-duplicates
    wrong_match_rate: float = 0.02  # of scans of products in the catalogue, in each of the catalogues
    least_match_probability: float = 0.5  # a match is more probable than not
    left_out_weight: float = 0.25  # of a scan of a product left out beside its near-duplicates: rare in a shop
    foreign_weight: float = 0.5  # of a scan of nothing like the catalogue
    skip_error_rate: float = 0.01  # of scans whose verification is skipped, with 95% certainty
    least_skipped: float = 0.05  # share of scans; below, skipping does not pay
    first_look_error_rate: float = 0.01  # of known products' scans that take no closer look
    folds: int = 5
    ridge: float = 1e-4  # on the weights of standardised features
    margins: tuple[float, ...] = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of probability, tried in turn


@dataclass(frozen=True)
class Case:
    """One scan against one catalogue: the catalogue's, or the catalogue without a product or a family.

    Attributes:
        scan: What was measured.
        looks: The shortlist, as the first look and a closer one measured it.
        truth: The SKU to find; "" when none of the candidates may be accepted.
        foreign: Whether nothing like the scanned product is in the catalogue.
    """

    scan: MeasuredScan
    looks: Looks
    truth: str
    foreign: bool


@dataclass(frozen=True)
class Examples:
    """Candidates as rows: (n, features), what they are (n,), how much they count (n,), whose fold they are in (n,)."""

    x: Array
    y: Array
    weight: Array
    fold: npt.NDArray[np.int64]

    def outside(self, fold: int) -> "Examples":
        """Those that are not in a fold."""
        kept = self.fold != fold
        return Examples(self.x[kept], self.y[kept], self.weight[kept], self.fold[kept])


def cases_of(scan: MeasuredScan) -> list[Case]:
    """The cases that one scan gives."""
    cases = [Case(scan, scan.without_family, "", foreign=scan.source != ALIKE)]
    if scan.family:
        cases.append(Case(scan, scan.without_product, "", foreign=False))
    if scan.sku:
        cases.append(Case(scan, scan.whole, scan.sku, foreign=False))
    return cases


def examples_of(cases: Sequence[Case], options: FitOptions) -> Examples:
    """A row for each candidate of each case: by each look, and unverified. The cases of a source weigh 1 together."""
    of_source = dict.fromkeys({case.scan.source for case in cases}, 0.0)
    for case in cases:
        of_source[case.scan.source] += _weight(case, options)
    rows, labels, weights, folds = [], [], [], []
    for case in cases:
        first = case.looks.first
        for candidates in (first, case.looks.last, _unverified(first)):
            for candidate, evidence in zip(candidates, compare(candidates), strict=True):
                named = features(evidence)
                rows.append([named.get(name, 0.0) for name in FEATURES])
                labels.append(candidate.sku == case.truth)
                weights.append(_weight(case, options) / of_source[case.scan.source])
                folds.append(fold_of(case.scan, options.folds))
    return Examples(np.array(rows), np.array(labels, np.float64), np.array(weights), np.array(folds))


def fit(examples: Examples, options: FitOptions) -> DecisionCoefficients:
    """Coefficients of the least penalised log loss, without thresholds."""
    scale = np.maximum(examples.x.std(axis=0), 1e-6)
    x, y = examples.x / scale, examples.y
    weight = examples.weight / examples.weight.sum()

    def loss(parameters: Array) -> tuple[float, Array]:
        logit = parameters[0] + x @ parameters[1:]
        value = weight @ (np.logaddexp(0, logit) - y * logit)
        slope = weight * (_sigmoid(logit) - y)
        ridge = options.ridge * parameters[1:]
        gradient = np.concatenate([[slope.sum()], slope @ x + ridge])
        return float(value + 0.5 * ridge @ parameters[1:]), gradient

    limits = {1: (0.0, None), -1: (None, 0.0), 0: (None, None)}
    bounds = [(None, None), *(limits[FEATURE_SIGNS[name]] for name in FEATURES)]
    found = minimize(loss, np.zeros(len(bounds)), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000})
    weights = found.x[1:] / scale
    return DecisionCoefficients(
        intercept=float(found.x[0]),
        weights={name: round(float(w), 6) for name, w in zip(FEATURES, weights, strict=True) if w != 0},
    )


def fold_of(scan: MeasuredScan, folds: int) -> int:
    """All scans of a product are in one fold."""
    return zlib.crc32(f"{scan.source} {scan.sku or scan.family}".encode()) % folds


@dataclass(frozen=True)
class Judged:
    """A case with its candidates rated out of fold.

    Attributes:
        case: What was rated.
        verified: After verification.
        unverified: By the embedding alone.
        first: After verification of what the first look proposed; `verified` may hold what a closer one found.
    """

    case: Case
    verified: tuple[Rated, ...]
    unverified: tuple[Rated, ...]
    first: tuple[Rated, ...]

    @property
    def is_right(self) -> bool:
        """Whether the first answer may be accepted."""
        return bool(self.verified) and self.verified[0].sku == self.case.truth

    def is_clear(self, margin: float) -> bool:
        """Whether there is a first answer, that far ahead of the second."""
        rivals = self.verified[1:2]
        return bool(self.verified) and all(ahead(self.verified[0].logit, r.logit) >= margin for r in rivals)


def judge(cases: Sequence[Case], examples: Examples, options: FitOptions) -> list[Judged]:
    """Rate every case by a decider that has not seen its product. `examples`: of these cases."""
    deciders = {fold: Decider(fit(examples.outside(fold), options), Calibration()) for fold in set(examples.fold)}
    judged = []
    for case in cases:
        first = case.looks.first
        if first:
            decider = deciders[fold_of(case.scan, options.folds)]
            lists = (case.looks.last, _unverified(first), first)
            judged.append(Judged(case, *(tuple(decider.rate(some)) for some in lists)))
    return judged


def closer_look_probability(judged: Sequence[Judged], options: FitOptions) -> float:
    """The least probability of a first look's best candidate above which it is wrong rarely enough.

    Only scans of products in the catalogue count: a closer look can do nothing for the others.
    """
    bests = sorted(
        ((j.first[0].probability, j.first[0].sku == j.case.truth) for j in judged if j.case.truth and j.first),
        reverse=True,
    )
    wrong, lowest = 0, 1.0
    for number, (probability, right) in enumerate(bests, 1):
        wrong += not right
        if wrong <= number * options.first_look_error_rate:
            lowest = probability
    return lowest


def as_scanned(judged: Sequence[Judged], closer_look: float) -> list[Judged]:
    """The same cases without the closer looks that a scan would not have taken, given when it takes one."""
    sure = [bool(j.first) and j.first[0].probability >= closer_look for j in judged]
    return [replace(j, verified=j.first) if is_sure else j for j, is_sure in zip(judged, sure, strict=True)]


def no_pair(_: str, __: str) -> float:
    """No pair of products has a margin of its own."""
    return 0.0


def with_thresholds(
    coefficients: DecisionCoefficients, judged: Sequence[Judged], options: FitOptions
) -> DecisionCoefficients:
    """The coefficients with the thresholds that out-of-fold predictions ask for."""
    done = DecisionCoefficients()
    done.CopyFrom(coefficients)
    rate = done.false_accept_rate = options.false_accept_rate
    known = [j for j in judged if j.case.truth]
    for margin in options.margins:
        done.ambiguous_margin = margin
        least = match_logit(judged, margin, rate, options)
        done.match_probability = max(float(_sigmoid(np.array(least))), options.least_match_probability)
        done.logit_per_decade = match_logit(judged, margin, rate / 10, options) - least if math.isfinite(least) else 0.0
        if _worst_share(known, done) <= options.wrong_match_rate:
            break
    done.skip_verification_logit = _skip_logit(judged, options)
    return done


def match_logit(judged: Sequence[Judged], margin: float, rate: float, options: FitOptions) -> float:
    """The least logit that keeps the rate of false accepts: of foreign products in each catalogue, of left-outs in all.

    In a single catalogue the latter would be judged by families that differ in a word alone, three siblings a product:
    no shop is like that, and the threshold would leave most scans of any other unanswered.

    Args:
        judged: Out of fold.
        margin: By which a match must be ahead of the next.
        rate: Of foreign scans; products left out beside their near-duplicates have `left_out_allowance` times that.
        options: That allowance.

    Returns:
        Minus infinity when none of them is ever accepted.
    """
    logits: dict[tuple[str, bool], list[float]] = {}
    for one in judged:
        if not one.case.truth:
            best = one.verified[0].logit if one.is_clear(margin) else -math.inf
            catalogue = one.case.scan.source if one.case.foreign else ALL
            logits.setdefault((catalogue, one.case.foreign), []).append(best)
    return max(
        (
            threshold_of_rate(of_kind, rate if foreign else rate * options.left_out_allowance)
            for (_, foreign), of_kind in logits.items()
        ),
        default=-math.inf,
    )


def _worst_share(known: Sequence[Judged], coefficients: DecisionCoefficients) -> float:
    """The share of wrong matches in the catalogue that has most of them."""
    wrong: dict[str, list[bool]] = {}
    for judged in known:
        wrong.setdefault(judged.case.scan.source, []).append(_is_wrong_match(judged, coefficients))
    return max(float(np.mean(of_source)) for of_source in wrong.values())


def _is_wrong_match(judged: Judged, coefficients: DecisionCoefficients) -> bool:
    decision = Decider(coefficients, Calibration()).decide(judged.verified, no_pair)
    return decision.kind == "match" and decision.skus[0] != judged.case.truth


def _skip_logit(judged: Sequence[Judged], options: FitOptions) -> float:
    """The least logit of the embedding alone above which it errs rarely enough; 0 when that is hardly ever reached."""
    known = sum(bool(j.case.truth) for j in judged)
    bests = sorted(
        ((j.unverified[0].logit, j.unverified[0].sku == j.case.truth) for j in judged if j.unverified), reverse=True
    )
    wrong, lowest = 0, 0.0
    for number, (logit, right) in enumerate(bests, 1):
        wrong += not right
        # "Rule of three" (Hanley and Lippman-Hand 1983): no error in n leaves up to 3/n at 95%.
        if (wrong + 3) / number <= options.skip_error_rate and number >= options.least_skipped * known:
            lowest = logit
    return max(lowest, 0.0)


def _weight(case: Case, options: FitOptions) -> float:
    if case.truth:
        return 1.0
    return options.foreign_weight if case.foreign else options.left_out_weight


def _unverified(candidates: Sequence[Measured]) -> tuple[Measured, ...]:
    return tuple(replace(candidate, geometry=None, view=None) for candidate in candidates)


def _sigmoid(logit: Array) -> Array:
    return np.asarray(np.exp(-np.logaddexp(0, -logit)))
