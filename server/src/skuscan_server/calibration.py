"""Fits the decision to an assortment: an offset, a spread, and the threshold for the operator's false-accept rate.

1. Take a seeded sample of the references, and draw field views of their pictures.
2. Scan each view twice: against the assortment, and as if its product and its look-alikes were not for sale.
3. Fit logit' = offset + spread * logit on whether the first answer was right (Platt 1999, "Probabilistic outputs for
   support vector machines"), with Platt's targets, which keep a separable sample finite.
4. Take the lowest probability at which matches of what is not for sale stay within the accepted rate.

A package of a brand that is for sale, in a flavour that is not, looks like its siblings and is not covered by the rate.
"""

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from skuscan.catalogue import Catalogue
from skuscan.decision import Decider, Measured
from skuscan.keypoints import unpack
from skuscan.picture import load_picture
from skuscan.proto.bundle_pb2 import Calibration
from skuscan.recognizer import Recognizer
from skuscan.verification import VerificationOptions, verify
from skuscan_models.synthetic.field_view import EASY, HARD, USUAL, field_view

MAX_REFERENCES = 400  # sampled: 1% of them is still a handful, and a fit takes under a minute
MIN_REFERENCES = 20  # below, the model's own decision is kept
MIN_VIEWS = 100  # drawn; a small assortment gets several of each reference
SEED = 20_260_101
VIEWS = (EASY, USUAL, HARD)  # drawn in equal shares
LOWEST_THRESHOLD = 0.5  # below, an answer is more likely wrong than right
UNREGULARISED = 1e6  # inverse strength of the regularisation: two parameters and hundreds of views need none
LOOK_ALIKE_SHARE = 0.1  # of a reference's keypoints that lie on another package in the same arrangement
COMPARISONS = 65_536  # remembered


@dataclass(frozen=True)
class View:
    """One drawn view, scanned.

    Attributes:
        logit: The model's, of the first answer.
        rival: Of the best other answer; minus infinity: there is none.
        right: Whether that is the product shown; never, when it is not for sale.
        absent: Whether product and look-alikes were left out.
    """

    logit: float
    rival: float
    right: bool
    absent: bool


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
    decision = catalogue.model.artifact.decision
    rows = _sample(_count(catalogue))
    if len(rows) < MIN_REFERENCES:
        return Calibration(
            spread=1.0, false_accept_rate=false_accept_rate, match_probability=decision.match_probability
        )
    views = list(_scan_views(catalogue, rows, read_picture, progress))
    offset, spread = fit_line([v.logit for v in views], [v.right for v in views])
    return Calibration(
        offset=offset,
        spread=spread,
        false_accept_rate=false_accept_rate,
        match_probability=threshold(views, offset, spread, decision.ambiguous_margin, false_accept_rate),
        references=len(rows),
    )


def fit_line(logits: Sequence[float], outcomes: Sequence[bool]) -> tuple[float, float]:
    """The offset and spread under which outcomes are most likely (Platt 1999, section 2.2).

    Returns:
        (0, 1) when there is but one kind of outcome, or when a higher logit does not mean a likelier outcome.
    """
    x, right = np.asarray(logits, np.float64), np.asarray(outcomes, np.bool_)
    hits, misses = int(right.sum()), int((~right).sum())
    if not hits or not misses:
        return 0.0, 1.0
    target = np.where(right, (hits + 1) / (hits + 2), 1 / (misses + 2))
    # A target between 0 and 1 is a right outcome with that weight, and a wrong one with the rest.
    outcome, weight = np.repeat([1, 0], len(x)), np.concatenate([target, 1 - target])
    fit = LogisticRegression(C=UNREGULARISED).fit(np.tile(x, 2)[:, None], outcome, sample_weight=weight)
    offset, spread = float(fit.intercept_[0]), float(fit.coef_[0, 0])
    return (offset, spread) if spread > 0 else (0.0, 1.0)


def threshold(
    views: Sequence[View], offset: float, spread: float, ambiguous_margin: float, false_accept_rate: float
) -> float:
    """The lowest probability at which at most that share of the absent views would be matched.

    An answer that is too close to its rival is `ambiguous` at any threshold, and does not count.
    """
    absent = [view for view in views if view.absent]
    best, rival = (np.array([getattr(view, name) for view in absent]) for name in ("logit", "rival"))
    clear = np.tanh(spread * (best - rival) / 2) >= ambiguous_margin  # as `Decider` sees it
    accepted = np.sort(expit(offset + spread * best[clear]))[::-1]
    allowed = int(false_accept_rate * len(absent))
    if len(accepted) <= allowed:
        return LOWEST_THRESHOLD
    return max(LOWEST_THRESHOLD, float(np.nextafter(accepted[allowed], 1.0)))


def expit(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Probabilities of logits."""
    return np.asarray(np.exp(-np.logaddexp(0, -logits)))


def _count(catalogue: Catalogue) -> int:
    return len(catalogue.base_embeddings) + len(catalogue.delta_embeddings)


def _sample(references: int) -> list[int]:
    if references <= MAX_REFERENCES:
        return list(range(references))
    chosen = np.random.default_rng(SEED).choice(references, MAX_REFERENCES, replace=False)
    return sorted(int(row) for row in chosen)


def _scan_views(
    catalogue: Catalogue,
    rows: Sequence[int],
    read_picture: Callable[[int], bytes],
    progress: Callable[[int, int], None],
) -> Iterator[View]:
    """Two answers for each drawn picture: with its product for sale, and without."""
    decider = Decider(catalogue.model.artifact.decision, Calibration())
    recognizer = Recognizer(catalogue)
    views, look_alikes = max(len(rows), MIN_VIEWS), _LookAlikes(catalogue, recognizer.eye.verification)
    for number in range(views):
        progress(number, views)
        row, round_ = rows[number % len(rows)], number // len(rows)
        sku, picture = catalogue.sku_of_row(row), load_picture(read_picture(row))
        rng = np.random.default_rng([SEED, zlib.crc32(sku.encode()), round_])
        photo, group = field_view(picture, rng, VIEWS[number % len(VIEWS)]), _group(catalogue, sku)
        measured = recognizer.measure(photo)
        yield from _answer(decider, measured, sku, group, absent=False)
        same = {m.sku for m in measured if _is_same(m.sku, m.group, sku, group)}
        others = recognizer.measure(photo, hidden={sku, *same, *look_alikes.of(row, [m.sku for m in measured])})
        alike = look_alikes.of(row, [m.sku for m in others])  # those that the hidden ones made room for
        others = [m for m in others if m.sku not in alike and not _is_same(m.sku, m.group, sku, group)]
        yield from _answer(decider, others, sku, group, absent=True)
    progress(views, views)


def _answer(decider: Decider, measured: Sequence[Measured], sku: str, group: str, *, absent: bool) -> Iterator[View]:
    """The first answer to a view; none when nothing is left to answer with."""
    rated = decider.rate(measured)
    for best in rated[:1]:
        rivals = (r.logit for r in rated if not _is_same(r.sku, r.group, best.sku, best.group))
        right = not absent and _is_same(best.sku, best.group, sku, group)
        yield View(best.logit, max(rivals, default=-math.inf), right, absent)


class _LookAlikes:
    """Which SKUs share a part of a reference's print: the other flavours and sizes of a brand."""

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
        return self._compare(min(row, other), max(row, other))

    @lru_cache(maxsize=COMPARISONS)  # noqa: B019 - lives as long as one calibration
    def _compare(self, row: int, other: int) -> bool:
        own, others = (unpack(self._catalogue.reference(r).keypoints) for r in (row, other))
        return verify(own, others, self._options).agreeing >= LOOK_ALIKE_SHARE * len(own)


def _is_same(sku: str, group: str, other_sku: str, other_group: str) -> bool:
    return sku == other_sku or (group != "" and group == other_group)


def _group(catalogue: Catalogue, sku: str) -> str:
    product = catalogue.product(sku)
    return product.group if product is not None else ""
