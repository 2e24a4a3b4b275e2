"""Fits the decision to an assortment: an offset, a spread, and the threshold for the operator's false-accept rate.

1. Take a seeded sample of the references, and draw field views of their pictures.
2. Scan each view, and answer it twice: from the assortment, and without its product and what looks like it.
3. Fit logit' = offset + spread * logit on whether the first answer was right (Platt 1999, "Probabilistic outputs for
   support vector machines"), with Platt's targets, which keep a separable sample finite.
4. Take the lowest probability at which matches of what is foreign stay within the accepted rate. Drawn views are easier
   than photos, so it is never below the model's own threshold for the rate, which was set on real ones and knows of
   products that are left out beside their look-alikes. Their rate in this assortment sets nothing: in one that is full
   of flavours it would leave most scans of what *is* for sale unanswered.
"""

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from skuscan.catalogue import Catalogue
from skuscan.decision import Decider, Measured, ahead
from skuscan.keypoints import unpack
from skuscan.picture import load_picture
from skuscan.proto.bundle_pb2 import Calibration, DecisionCoefficients
from skuscan.recognizer import Recognizer
from skuscan.verification import VerificationOptions, verify
from skuscan_models.rates import threshold_of_rate
from skuscan_models.synthetic.field_view import field_view
from skuscan_models.synthetic.view_options import mixed

VIEWS = 400  # drawn, of one reference each or, in a smaller assortment, several: 1% is still a handful
MIN_REFERENCES = 20  # below, the model's own decision is kept
SEED = 20_260_101
LOWEST_THRESHOLD = 0.5  # below, an answer is more likely wrong than right
UNREGULARISED = 1e6  # inverse strength of the regularisation: two parameters and hundreds of views need none
LOOK_ALIKE_SHARE = 0.1  # of a reference's keypoints that lie on another package in the same arrangement
COMPARISONS = 65_536  # remembered


@dataclass(frozen=True)
class View:
    """One answer to a drawn view.

    Attributes:
        logit: The model's, of the first answer; minus infinity: there is none.
        rival: Of the best other answer; minus infinity: there is none.
        right: Whether the first answer is the product shown; never, when it is not for sale.
        sold: Whether it was for sale; if not, nothing that looks like it was either.
    """

    logit: float
    rival: float
    right: bool
    sold: bool


def calibrate(
    catalogue: Catalogue,
    read_picture: Callable[[int], bytes],
    false_accept_rate: float,
    progress: Callable[[int, int], None],
) -> Calibration:
    """Fit the decision.

    Args:
        catalogue: The assortment.
        read_picture: The picture of a reference row, as it was uploaded.
        false_accept_rate: What the operator accepts, 0..1.
        progress: Told of views done, of how many.

    Returns:
        The fit; with too few references the model's own decision, `references` 0.
    """
    rows = _sample(_count(catalogue))
    views = drawn_views(catalogue, rows, read_picture, progress) if len(rows) >= MIN_REFERENCES else []
    return calibration_of(views, len(rows) if views else 0, catalogue.model.artifact.decision, false_accept_rate)


def calibration_of(
    views: Sequence[View], references: int, decision: DecisionCoefficients, false_accept_rate: float
) -> Calibration:
    """The fit to some views of so many references; without any, the model's own decision at that rate."""
    least = model_logit(decision, false_accept_rate)
    fitted = Calibration(spread=1.0, false_accept_rate=false_accept_rate, references=references)
    if views:
        fitted.offset, fitted.spread = fit_line(views)
        least = max(least, threshold(views, decision.ambiguous_margin, false_accept_rate))
    # The scan at the threshold itself is one too many.
    beyond = np.nextafter(expit(np.array([fitted.offset + fitted.spread * least]))[0], 1.0)
    fitted.match_probability = max(LOWEST_THRESHOLD, float(beyond))
    return fitted


def drawn_views(
    catalogue: Catalogue,
    rows: Sequence[int],
    read_picture: Callable[[int], bytes],
    progress: Callable[[int, int], None],
) -> list[View]:
    """Draw views of some reference rows, and answer each twice. Arguments as `calibrate` has them."""
    answers: list[View] = []
    decider = Decider(catalogue.model.artifact.decision, Calibration())
    recognizer = Recognizer(catalogue)
    look_alikes = LookAlikes(catalogue, recognizer.eye.verification)
    for number in range(VIEWS):
        progress(number, VIEWS)
        row, round_ = rows[number % len(rows)], number // len(rows)
        sku, picture = catalogue.sku_of_row(row), load_picture(read_picture(row))
        rng = np.random.default_rng([SEED, zlib.crc32(sku.encode()), round_])
        photo, group = field_view(picture, rng, mixed(number)), _group(catalogue, sku)
        measured = recognizer.measure(photo).last
        same = {sku, *(m.sku for m in measured if _is_same(m.sku, m.group, sku, group))}
        foreign = _others(recognizer.measure(photo, hidden=same).last, sku, group)
        alike = look_alikes.of(row, [m.sku for m in foreign])
        if alike:
            foreign = _others(recognizer.measure(photo, hidden=same | alike).last, sku, group)
        also = look_alikes.of(row, [m.sku for m in foreign])  # those that the hidden ones made room for
        foreign = [m for m in foreign if m.sku not in also]
        for sold, offered in ((True, measured), (False, foreign)):
            answers.append(_answer(decider, offered, sku, group, sold))
    progress(VIEWS, VIEWS)
    return answers


def model_logit(decision: DecisionCoefficients, false_accept_rate: float) -> float:
    """The model's own threshold for a rate, as a logit: it grows with the rate's logarithm."""
    probability = decision.match_probability
    at_its_rate = math.log(probability) - math.log1p(-probability)
    if not decision.logit_per_decade:
        return at_its_rate
    return at_its_rate + decision.logit_per_decade * math.log10(decision.false_accept_rate / false_accept_rate)


def fit_line(views: Sequence[View]) -> tuple[float, float]:
    """The offset and spread under which outcomes are most likely (Platt 1999, section 2.2).

    Returns:
        (0, 1) when there is but one kind of outcome, or when a higher logit does not mean a likelier outcome.
    """
    answered = [view for view in views if math.isfinite(view.logit)]
    x, right = np.array([v.logit for v in answered], np.float64), np.array([v.right for v in answered], np.bool_)
    hits, misses = int(right.sum()), int((~right).sum())
    if not hits or not misses:
        return 0.0, 1.0
    target = np.where(right, (hits + 1) / (hits + 2), 1 / (misses + 2))
    # A target between 0 and 1 is a right outcome with that weight, and a wrong one with the rest.
    outcome, weight = np.repeat([1, 0], len(x)), np.concatenate([target, 1 - target])
    fit = LogisticRegression(C=UNREGULARISED).fit(np.tile(x, 2)[:, None], outcome, sample_weight=weight)
    offset, spread = float(fit.intercept_[0]), float(fit.coef_[0, 0])
    return (offset, spread) if spread > 0 else (0.0, 1.0)


def threshold(views: Sequence[View], ambiguous_margin: float, false_accept_rate: float) -> float:
    """The lowest logit above which what is not for sale is matched as rarely as was accepted.

    An answer that is too close to its rival is `ambiguous` at any threshold, and does not count.
    """
    logits = []
    for view in views:
        if not view.sold:
            clear = math.isfinite(view.logit) and ahead(view.logit, view.rival) >= ambiguous_margin
            logits.append(view.logit if clear else -math.inf)
    return threshold_of_rate(logits, false_accept_rate)


def expit(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Probabilities of logits."""
    return np.asarray(np.exp(-np.logaddexp(0, -logits)))


def _count(catalogue: Catalogue) -> int:
    return len(catalogue.base_embeddings) + len(catalogue.delta_embeddings)


def _sample(references: int) -> list[int]:
    if references <= VIEWS:
        return list(range(references))
    chosen = np.random.default_rng(SEED).choice(references, VIEWS, replace=False)
    return sorted(int(row) for row in chosen)


def _others(measured: Sequence[Measured], sku: str, group: str) -> list[Measured]:
    return [m for m in measured if not _is_same(m.sku, m.group, sku, group)]


def _answer(decider: Decider, measured: Sequence[Measured], sku: str, group: str, sold: bool) -> View:
    """The first answer to a view."""
    rated = decider.rate(measured)
    if not rated:
        return View(-math.inf, -math.inf, right=False, sold=sold)
    best = rated[0]
    rivals = (r.logit for r in rated if not _is_same(r.sku, r.group, best.sku, best.group))
    right = sold and _is_same(best.sku, best.group, sku, group)
    return View(best.logit, max(rivals, default=-math.inf), right, sold)


class LookAlikes:
    """Which SKUs look alike: those of a published pair, and those that share print, as all flavours of a brand do."""

    def __init__(self, catalogue: Catalogue, options: VerificationOptions) -> None:
        self._catalogue = catalogue
        self._options = options
        self._row_of = {catalogue.sku_of_row(row): row for row in range(_count(catalogue))}

    def of(self, row: int, skus: Sequence[str]) -> set[str]:
        """Those of some SKUs that look like a reference, or like one that looks like it."""
        direct = {sku for sku in skus if self._are(row, self._row_of[sku])}
        rest = (sku for sku in skus if sku not in direct)
        return direct | {sku for sku in rest if any(self._are(self._row_of[sku], self._row_of[d]) for d in direct)}

    def _are(self, row: int, other: int) -> bool:
        skus = (self._catalogue.sku_of_row(r) for r in (row, other))
        return self._catalogue.pair(*skus) is not None or self._compare(min(row, other), max(row, other))

    @lru_cache(maxsize=COMPARISONS)  # noqa: B019 - lives as long as one calibration
    def _compare(self, row: int, other: int) -> bool:
        own, others = (unpack(self._catalogue.reference(r).keypoints) for r in (row, other))
        return verify(own, others, self._options).agreeing >= max(1, LOOK_ALIKE_SHARE * len(own))


def _is_same(sku: str, group: str, other_sku: str, other_group: str) -> bool:
    return sku == other_sku or (group != "" and group == other_group)


def _group(catalogue: Catalogue, sku: str) -> str:
    product = catalogue.product(sku)
    return product.group if product is not None else ""
