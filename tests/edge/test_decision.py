import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.decision import FEATURE_SIGNS, Decider, Evidence, Measured, Rated, ahead, compare, features
from skuscan.proto.bundle_pb2 import Calibration, DecisionCoefficients
from skuscan.verification import Geometry

COEFFICIENTS = DecisionCoefficients(
    intercept=-8.0,
    weights={
        "similarity": 3.0,
        "margin": 5.0,
        "log_agreeing": 0.5,
        "agreeing_lead": 0.5,
        "log_inliers": 1.5,
        "inlier_lead": 0.8,
        "inlier_ratio": 1.0,
        "spread": 1.0,
        "reprojection_error": -0.3,
        "unverified": 1.0,
        "unverified_similarity": 6.0,
        "unverified_margin": 8.0,
    },
    match_probability=0.9,
    ambiguous_margin=0.2,
    skip_verification_logit=4.0,
)
UNFITTED = Calibration()


def geometry(inliers: int, agreeing: int | None = None) -> Geometry:
    agreeing = inliers + 2 if agreeing is None else agreeing
    return Geometry(agreeing, inliers, inliers / max(agreeing, 1), 0.4, 1.2, np.eye(3) if inliers else None)


def no_pairs(_: str, __: str) -> float:
    return 0.0


@pytest.fixture
def decider() -> Decider:
    return Decider(COEFFICIENTS, UNFITTED)


geometries = st.builds(geometry, st.integers(0, 150), st.integers(150, 200))
candidates = st.lists(
    st.builds(
        Measured,
        sku=st.text("abcdefgh", min_size=1, max_size=3),
        group=st.sampled_from(["", "", "x", "y"]),
        similarity=st.floats(-1, 1),
        geometry=st.one_of(st.none(), geometries),
    ),
    max_size=8,
    unique_by=lambda m: m.sku,
)
evidences = st.builds(
    Evidence,
    similarity=st.floats(-1, 1),
    margin=st.floats(-2, 2),
    verified=st.just(True),
    agreeing=st.integers(0, 150),
    agreeing_lead=st.floats(-5, 5),
    inliers=st.integers(0, 150),
    inlier_lead=st.floats(-5, 5),
    inlier_ratio=st.floats(0, 1),
    spread=st.floats(0, 1),
    reprojection_error=st.floats(0, 5),
)


@given(evidences, st.sampled_from([f for f in Evidence.__dataclass_fields__ if f != "verified"]), st.integers(1, 30))
def test_more_evidence_never_makes_a_candidate_less_probable(evidence: Evidence, name: str, more: int) -> None:
    decider = Decider(COEFFICIENTS, UNFITTED)
    stronger = replace(evidence, **{name: getattr(evidence, name) + more})
    rises = decider.probability(stronger) >= decider.probability(evidence)
    assert rises or name == "reprojection_error"
    if name == "reprojection_error":
        assert decider.probability(stronger) <= decider.probability(evidence)


@given(candidates, st.floats(0.01, 0.99))
def test_no_match_is_ever_below_the_threshold(measured: list[Measured], threshold: float) -> None:
    decider = Decider(COEFFICIENTS, Calibration(offset=0.5, spread=1.2, match_probability=threshold, references=9))
    decision = decider.decide(decider.rate(measured), no_pairs)
    assert decision.kind != "match" or decision.probability >= threshold
    assert decision.kind != "unknown" or decision.probability < threshold
    assert (decision.kind == "unknown") == (decision.skus == ())
    assert (decision.kind == "ambiguous") == (len(decision.skus) > 1)


@given(candidates, st.randoms())
def test_the_order_of_the_candidates_changes_nothing(measured: list[Measured], random: object) -> None:
    decider = Decider(COEFFICIENTS, UNFITTED)
    shuffled = list(measured)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert decider.rate(shuffled) == decider.rate(measured)


@given(candidates)
def test_probabilities_are_probabilities_and_fall(measured: list[Measured]) -> None:
    rated = Decider(COEFFICIENTS, UNFITTED).rate(measured)
    probabilities = [r.probability for r in rated]
    assert all(0 <= p <= 1 for p in probabilities)
    assert probabilities == sorted(probabilities, reverse=True)


@given(evidences)
def test_every_feature_is_declared_and_finite(evidence: Evidence) -> None:
    for one in (evidence, replace(evidence, verified=False)):
        assert set(features(one)) <= set(FEATURE_SIGNS)
        assert all(math.isfinite(value) for value in features(one).values())


def test_a_clear_leader_is_a_match(decider: Decider) -> None:
    rated = decider.rate([Measured("a", "", 0.8, geometry(60)), Measured("b", "", 0.7, geometry(0, 3))])
    decision = decider.decide(rated, no_pairs)
    assert (decision.kind, decision.skus) == ("match", ("a",))


def test_two_products_that_look_alike_are_ambiguous(decider: Decider) -> None:
    rated = decider.rate([Measured("a", "", 0.8, geometry(60)), Measured("b", "", 0.8, geometry(58))])
    decision = decider.decide(rated, no_pairs)
    assert (decision.kind, decision.skus) == ("ambiguous", ("a", "b"))


def test_products_that_look_alike_share_the_probability_of_the_scan(decider: Decider) -> None:
    evidence = Evidence(0.5, 0.0)
    halves = [Rated(sku, "", evidence, 0.0, 0.48) for sku in ("a", "b")]
    assert decider.decide(halves, no_pairs).skus == ("a", "b")
    assert decider.decide(halves[:1], no_pairs).kind == "unknown"
    crumbs = [Rated("a", "", evidence, 0.0, 0.4)] + [Rated(f"c{i}", "", evidence, -2.0, 0.15) for i in range(9)]
    assert decider.decide(crumbs, no_pairs).kind == "unknown"


def test_products_of_one_group_are_no_rivals(decider: Decider) -> None:
    alike = [Measured("a", "chips", 0.8, geometry(60)), Measured("b", "chips", 0.8, geometry(58))]
    decision = decider.decide(decider.rate(alike), no_pairs)
    assert (decision.kind, decision.skus) == ("match", ("a",))
    assert compare(alike)[0].inlier_lead == math.log1p(60)


def test_an_empty_group_is_no_group(decider: Decider) -> None:
    alike = [Measured("a", "", 0.8, geometry(60)), Measured("b", "", 0.8, geometry(60))]
    assert compare(alike)[0].inlier_lead == 0


def test_two_products_nearly_certain_by_themselves_are_told_apart_by_their_odds(decider: Decider) -> None:
    sure, unsure = (
        replace(r, logit=z, probability=1 / (1 + math.exp(-z)))
        for r, z in zip(
            decider.rate([Measured("a", "", 0.8, geometry(60)), Measured("b", "", 0.8, geometry(60))]),
            (9.0, 4.0),
            strict=True,
        )
    )
    assert sure.probability - unsure.probability < 0.02
    assert decider.decide([sure, unsure], no_pairs).kind == "match"


def test_a_pair_record_asks_for_its_own_margin(decider: Decider) -> None:
    rated = decider.rate([Measured("a", "", 0.8, geometry(60)), Measured("b", "", 0.6, geometry(20))])
    apart = math.tanh((rated[0].logit - rated[1].logit) / 2)
    assert decider.decide(rated, no_pairs).kind == "match"
    wary = decider.decide(rated, lambda one, other: apart + 0.01 if {one, other} == {"a", "b"} else 0.0)
    assert (wary.kind, wary.skus) == ("ambiguous", ("a", "b"))


def test_an_empty_catalogue_is_answered_unknown(decider: Decider) -> None:
    decision = decider.decide(decider.rate([]), no_pairs)
    assert (decision.kind, decision.skus, decision.probability) == ("unknown", (), 0.0)


def test_the_calibration_moves_the_logit_and_brings_its_own_threshold() -> None:
    evidence = compare([Measured("a", "", 0.8, geometry(9))])[0]
    plain = Decider(COEFFICIENTS, UNFITTED)
    fitted = Decider(COEFFICIENTS, Calibration(offset=-1.0, spread=0.5, match_probability=0.5, references=100))
    assert fitted.logit(evidence) == plain.logit(evidence)
    expected = 1 / (1 + math.exp(1.0 - 0.5 * plain.logit(evidence)))
    assert fitted.probability(evidence) == pytest.approx(expected, rel=1e-12)


def test_verification_is_skipped_only_when_the_model_allows_it() -> None:
    certain = [Measured("a", "", 1.0), Measured("b", "", 0.0)]
    decider = Decider(COEFFICIENTS, UNFITTED)
    assert decider.is_certain(decider.rate(certain))
    assert not decider.is_certain(decider.rate([Measured("a", "", 0.5), Measured("b", "", 0.5)]))
    assert not decider.is_certain([])
    never = DecisionCoefficients()
    never.CopyFrom(COEFFICIENTS)
    never.skip_verification_logit = 0.0
    assert not Decider(never, UNFITTED).is_certain(decider.rate(certain))


def test_a_logit_beyond_floating_point_is_still_a_probability() -> None:
    for intercept in (-1e6, 1e6):
        decider = Decider(DecisionCoefficients(intercept=intercept), UNFITTED)
        assert decider.probability(Evidence(0.0, 0.0)) in (0.0, pytest.approx(0.0, abs=1e-300), 1.0)


def test_the_operators_threshold_holds_where_there_were_too_few_references_to_fit_on(decider: Decider) -> None:
    rated = decider.rate([Measured("a", "", 0.8, geometry(60))])
    assert decider.decide(rated, no_pairs).kind == "match"
    stricter = Decider(COEFFICIENTS, Calibration(spread=1.0, match_probability=(1 + rated[0].probability) / 2))
    assert stricter.decide(rated, no_pairs).kind == "unknown"


def test_an_empty_calibration_is_the_models_own_decision() -> None:
    measured = [Measured("a", "", 0.8, geometry(60)), Measured("b", "", 0.7, geometry(3))]
    assert Decider(COEFFICIENTS, Calibration()).rate(measured) == Decider(COEFFICIENTS, Calibration(spread=1)).rate(
        measured
    )


@given(st.floats(-20, 20), st.floats(-20, 20))
def test_being_ahead_is_the_difference_of_the_probabilities_of_two(logit: float, other: float) -> None:
    odds = math.exp(logit - other)
    assert ahead(logit, other) == pytest.approx((odds - 1) / (odds + 1), abs=1e-9)
    assert ahead(logit, other) == -ahead(other, logit)
