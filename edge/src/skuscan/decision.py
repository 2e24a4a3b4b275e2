"""Evidence -> calibrated probability -> decision. Pure: no IO, no pictures.

1. `compare` puts each candidate's numbers beside those of its rivals;
2. `features` turns them into the numbers that a logistic model weighs, by name;
3. `Decider` gives each candidate a probability with the model's coefficients and the assortment's calibration, and
   decides: `match`, `ambiguous` (a short list of products that the scan cannot tell apart) or `unknown`.

Every threshold comes from the coefficients or the calibration; the operator's one knob, the accepted false-accept rate,
is in the latter.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from skuscan.appearance import Rivalry, View, agreement, contest, rivalry
from skuscan.proto.bundle_pb2 import Calibration, DecisionCoefficients
from skuscan.verification import Geometry

Kind = Literal["match", "ambiguous", "unknown"]

ALIKE_SHARE = 0.5  # of the best probability: who has less does not look alike, and many of them prove nothing

# How a feature may move a probability: 1 up, -1 down, 0 either way. Fitting keeps to it, so that more inliers never
# make a match less probable. Candidates that were not verified have features of their own: in the same model, they are
# weighed by a second set of weights.
FEATURE_SIGNS = {
    "similarity": 1,
    "margin": 1,
    "log_agreeing": 1,
    "agreeing_lead": 1,
    "log_inliers": 1,
    "log_own_inliers": 1,
    "inlier_lead": 1,
    "inlier_ratio": 1,
    "spread": 1,
    "reprojection_error": -1,
    "agreement": 1,
    "contest": 1,
    "unverified": 0,
    "unverified_similarity": 1,
    "unverified_margin": 1,
}


@dataclass(frozen=True)
class Evidence:
    """What search and verification measured about one candidate.

    Attributes:
        similarity: As in `Measured`, -1 to 1.
        margin: How much that is above the most similar rival's; negative for all but the first.
        verified: Whether keypoints were compared; the numbers below are 0 when not.
        agreeing: As in `Geometry`.
        agreeing_lead: log((1 + agreeing) / (1 + agreeing of the rival that has most)).
        inliers: As in `Geometry`.
        inlier_lead: log((1 + inliers) / (1 + inliers of the rival that has most)).
        own_inliers: Of the inliers, how many at least are no rival's: a logo is on all packages of a brand.
        inlier_ratio: As in `Geometry`.
        spread: As in `Geometry`.
        reprojection_error: As in `Geometry`, px.
        agreement: How far the scan has the reference's colours where a rival's are different, 0 to 1, the least of all
            rivals; 0: not looked at.
        contest: Which of the two the scan is nearer to there, -1 to 1, against the rival that does best.
    """

    similarity: float
    margin: float
    verified: bool = False
    agreeing: int = 0
    agreeing_lead: float = 0.0
    inliers: int = 0
    inlier_lead: float = 0.0
    own_inliers: int = 0
    inlier_ratio: float = 0.0
    spread: float = 0.0
    reprojection_error: float = 0.0
    agreement: float = 0.0
    contest: float = 0.0


@dataclass(frozen=True)
class Measured:
    """A candidate before it is put beside its rivals.

    Attributes:
        sku: Its product.
        group: Products of one non-empty group count as one answer, and are no rivals.
        similarity: Cosine of its nearest reference and the scan, or the part that a closer look took.
        geometry: None: not verified.
        view: The scan through that geometry; None: there is none, or too little in sight.
    """

    sku: str
    group: str
    similarity: float
    geometry: Geometry | None = None
    view: View | None = None


@dataclass(frozen=True)
class Looks:
    """What was measured of a scan.

    Attributes:
        first: The candidates, nearest first.
        closer: Those and further ones, as a closer look measured them; None: none was taken.
    """

    first: tuple[Measured, ...]
    closer: tuple[Measured, ...] | None = None

    @property
    def last(self) -> tuple[Measured, ...]:
        """What the answer is made of."""
        return self.first if self.closer is None else self.closer


@dataclass(frozen=True)
class Rated:
    """A candidate with its probability."""

    sku: str
    group: str
    evidence: Evidence
    logit: float
    probability: float  # that the scan shows this product


@dataclass(frozen=True)
class Decision:
    """The answer to a scan.

    Attributes:
        kind: "match", "ambiguous" or "unknown".
        skus: The product of a match; two or more of an ambiguous answer, most probable first; none when unknown.
        probability: Of the most probable candidate, whatever the kind; 0 when there is none.
    """

    kind: Kind
    skus: tuple[str, ...]
    probability: float


def ahead(logit: float, other: float) -> float:
    """How far one candidate is ahead of another: what margins are of, -1 to 1.

    If it is one of the two, it is the difference of their probabilities. That of their own probabilities would call two
    products ambiguous that are both nearly certain by themselves, though one is a hundred times likelier than the
    other. An assortment's calibration has no part in it: its line is fitted on whether there is a match at all, and
    says nothing about which of two it is; pairs have margins of their own for that.
    """
    return math.tanh((logit - other) / 2)


def compare(candidates: Sequence[Measured]) -> list[Evidence]:
    """The evidence of each candidate beside its rivals, in the order given."""
    rivalries = _rivalries(candidates)
    geometries = [candidate.geometry or Geometry.none() for candidate in candidates]
    similarities = _most_of_rivals(candidates, [candidate.similarity for candidate in candidates])
    agreeing = _most_of_rivals(candidates, [geometry.agreeing for geometry in geometries])
    inliers = _most_of_rivals(candidates, [geometry.inliers for geometry in geometries])
    return [
        Evidence(
            similarity=candidate.similarity,
            margin=candidate.similarity - similarities[number],
            verified=candidate.geometry is not None,
            agreeing=geometry.agreeing,
            agreeing_lead=math.log1p(geometry.agreeing) - math.log1p(agreeing[number]),
            inliers=geometry.inliers,
            inlier_lead=math.log1p(geometry.inliers) - math.log1p(inliers[number]),
            own_inliers=_own_inliers(candidate, candidates),
            inlier_ratio=geometry.inlier_ratio,
            spread=geometry.spread,
            reprojection_error=geometry.reprojection_error,
            agreement=_least_agreement(candidate, rivalries[number]),
            contest=min((contest(own, rivalries[i][number]) for i, own in rivalries[number].items()), default=0.0),
        )
        for number, (candidate, geometry) in enumerate(zip(candidates, geometries, strict=True))
    ]


def features(evidence: Evidence) -> dict[str, float]:
    """What the logistic model weighs, by name; names that are missing are 0."""
    if not evidence.verified:
        return {
            "unverified": 1.0,
            "unverified_similarity": evidence.similarity,
            "unverified_margin": evidence.margin,
        }
    return {
        "similarity": evidence.similarity,
        "margin": evidence.margin,
        "log_agreeing": math.log1p(evidence.agreeing),
        "agreeing_lead": evidence.agreeing_lead,
        "log_inliers": math.log1p(evidence.inliers),
        "log_own_inliers": math.log1p(evidence.own_inliers),
        "inlier_lead": evidence.inlier_lead,
        "inlier_ratio": evidence.inlier_ratio,
        "spread": evidence.spread,
        "reprojection_error": evidence.reprojection_error,
        "agreement": evidence.agreement,
        "contest": evidence.contest,
    }


class Decider:
    """Decides by one model's coefficients and one assortment's calibration.

    Args:
        coefficients: Of the model's artefact.
        calibration: Of the generation; of an empty one, the model's own decision holds.
    """

    def __init__(self, coefficients: DecisionCoefficients, calibration: Calibration) -> None:
        self._intercept = coefficients.intercept
        self._weights = dict(coefficients.weights)
        self._offset = calibration.offset
        self._spread = calibration.spread or 1.0
        self._match_probability = calibration.match_probability or coefficients.match_probability
        self._ambiguous_margin = coefficients.ambiguous_margin
        self._skip_logit = coefficients.skip_verification_logit
        self._closer_look_probability = coefficients.closer_look_probability

    def logit(self, evidence: Evidence) -> float:
        """The model's logit, before the assortment's calibration."""
        weighed = (self._weights.get(name, 0.0) * value for name, value in features(evidence).items())
        return self._intercept + math.fsum(weighed)

    def probability(self, evidence: Evidence) -> float:
        """The calibrated probability that the scan shows the candidate, 0 to 1."""
        return self._calibrated(self.logit(evidence))

    @property
    def may_be_certain(self) -> bool:
        """Whether the embedding alone can be certain of anything, by this model."""
        return self._skip_logit > 0

    def is_certain(self, unverified: Sequence[Rated]) -> bool:
        """Whether the embedding alone is certain of its best candidate, so that verification can be skipped."""
        return self.may_be_certain and bool(unverified) and unverified[0].logit >= self._skip_logit

    def is_unsure(self, rated: Sequence[Rated]) -> bool:
        """Whether a closer look pays: too little speaks for any of the candidates, as `rate` gives them."""
        best = rated[0].logit if rated else -math.inf
        return _sigmoid(best) < self._closer_look_probability

    def rate(self, candidates: Sequence[Measured]) -> list[Rated]:
        """The candidates with their probabilities, most probable first; equal ones by SKU."""
        rated = []
        for candidate, evidence in zip(candidates, compare(candidates), strict=True):
            logit = self.logit(evidence)
            rated.append(Rated(candidate.sku, candidate.group, evidence, logit, self._calibrated(logit)))
        return sorted(rated, key=lambda r: (-r.probability, -r.logit, r.sku))

    def decide(self, rated: Sequence[Rated], pair_margin: Callable[[str, str], float]) -> Decision:
        """Accept the most probable candidate, or say why not.

        Args:
            rated: As `rate` gives them.
            pair_margin: How far ahead of the other one of two SKUs must be to be told apart; 0: the model's own.
        """
        if not rated:
            return Decision("unknown", (), 0.0)
        best = rated[0]
        close = [other for other in rated[1:] if self._is_close(best, other, pair_margin)]
        if best.probability < self._match_probability:
            # Products that look alike share the probability that the scan shows one of them.
            close = [other for other in close if other.probability >= best.probability * ALIKE_SHARE]
            if best.probability + math.fsum(other.probability for other in close) < self._match_probability:
                return Decision("unknown", (), best.probability)
        skus = (best.sku, *(other.sku for other in close))
        return Decision("ambiguous" if close else "match", skus, best.probability)

    def _is_close(self, best: Rated, other: Rated, pair_margin: Callable[[str, str], float]) -> bool:
        margin = pair_margin(best.sku, other.sku) or self._ambiguous_margin
        return not _is_same(best, other) and ahead(best.logit, other.logit) < margin

    def _calibrated(self, logit: float) -> float:
        return _sigmoid(self._offset + self._spread * logit)


def _is_same(one: Measured | Rated, other: Measured | Rated) -> bool:
    return one.sku == other.sku or (one.group != "" and one.group == other.group)


def _most_of_rivals(candidates: Sequence[Measured], values: Sequence[float]) -> list[float]:
    """For each candidate the greatest value of its rivals; 0 without any."""
    order = sorted(range(len(values)), key=lambda number: -values[number])
    others = []
    for candidate in candidates:
        best = next((number for number in order if not _is_same(candidate, candidates[number])), None)
        others.append(0.0 if best is None else values[best])
    return others


def _own_inliers(candidate: Measured, candidates: Sequence[Measured]) -> int:
    if candidate.geometry is None or not candidate.geometry.inliers:
        return 0
    own = candidate.geometry
    rivals = (other.geometry for other in candidates if other.geometry is not None and not _is_same(candidate, other))
    return min((len(own.rows - rival.rows) for rival in rivals), default=own.inliers)


def _rivalries(candidates: Sequence[Measured]) -> list[dict[int, Rivalry]]:
    """For each candidate: the numbers of its rivals that were looked at too, and what their colours say of it."""
    seen = [(number, other, other.view) for number, other in enumerate(candidates) if other.view is not None]
    return [
        {number: rivalry(one.view, view) for number, other, view in seen if not _is_same(one, other)}
        if one.view is not None
        else {}
        for one in candidates
    ]


def _least_agreement(candidate: Measured, rivalries: Mapping[int, Rivalry]) -> float:
    if candidate.view is None:
        return 0.0
    return min((own.agreement for own in rivalries.values()), default=agreement(candidate.view))


def _sigmoid(logit: float) -> float:
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    odds = math.exp(max(logit, -700.0))  # exp underflows below
    return odds / (1 + odds)
