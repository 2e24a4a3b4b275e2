import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skuscan.decision import FEATURE_SIGNS, Decider, Looks, Measured
from skuscan.model import Model
from skuscan.proto.bundle_pb2 import Calibration, DecisionCoefficients
from skuscan.recognition import RecognizerOptions
from skuscan.verification import Geometry
from skuscan_models.artifacts import released_folder
from skuscan_models.decision_fit import main, write_decision
from skuscan_models.decision_model import (
    Case,
    FitOptions,
    Judged,
    as_scanned,
    cases_of,
    closer_look_probability,
    examples_of,
    fit,
    fold_of,
    judge,
    match_logit,
    no_pair,
    with_thresholds,
)
from skuscan_models.decision_report import reliability_of, report
from skuscan_models.decision_scans import MeasuredScan, Sizes, measured_scans
from skuscan_models.synthetic.packaging import TRAIN_FAMILIES, design, draw_front

OPTIONS = FitOptions()
SHORTLIST = RecognizerOptions().shortlist
PRODUCTS = 60


def made_up_scans(count: int, seed: int = 0) -> list[MeasuredScan]:
    """Right candidates have inliers and a high similarity, mostly; every third product has a near-duplicate."""
    rng = np.random.default_rng(seed)
    scans = []
    for number in range(count):
        right = int(rng.integers(PRODUCTS))
        others = [int(i) for i in rng.permutation(PRODUCTS) if i != right][: SHORTLIST + 3]
        measured = [_measured(rng, right, rng.normal(0.72, 0.08), int(rng.gamma(3, 9)))]
        for other in others:
            like = other // 2 == right // 2 and right % 3 == 0
            inliers = int(rng.gamma(3, 7)) if like else int(rng.random() < 0.03) * 5
            measured.append(_measured(rng, other, rng.normal(0.68 if like else 0.5, 0.06), inliers))
        measured.sort(key=lambda m: -m.similarity)
        shown = "" if number % 10 == 9 else f"sku-{right}"
        left = [m for m in measured if m.sku != f"sku-{right}"]
        foreign = [m for m in left if int(m.sku[4:]) // 2 != right // 2]
        lists = (Looks(tuple(some[:SHORTLIST])) for some in (measured if shown else left, left, foreign))
        scans.append(MeasuredScan("made-up", shown, str(right // 2), *lists))
    return scans


def _measured(rng: np.random.Generator, number: int, similarity: float, inliers: int) -> Measured:
    agreeing = inliers + int(rng.integers(2, 6))
    geometry = Geometry(agreeing, inliers, inliers / agreeing, min(1.0, inliers / 60), 1.0, None)
    return Measured(f"sku-{number}", "", float(similarity), geometry)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [case for scan in made_up_scans(150) for case in cases_of(scan)]


@pytest.fixture(scope="module")
def judged(cases: list[Case]) -> list[Judged]:
    return judge(cases, examples_of(cases, OPTIONS), OPTIONS)


@pytest.fixture(scope="module")
def coefficients(cases: list[Case], judged: list[Judged]) -> DecisionCoefficients:
    return with_thresholds(fit(examples_of(cases, OPTIONS), OPTIONS), judged, OPTIONS)


def test_a_scan_gives_the_product_found_left_out_and_its_family_left_out() -> None:
    scan = next(scan for scan in made_up_scans(50) if scan.sku)
    assert cases_of(scan) == [
        Case(scan, scan.without_family, "", foreign=True),
        Case(scan, scan.without_product, "", foreign=False),
        Case(scan, scan.whole, scan.sku, foreign=False),
    ]


def test_a_scan_of_nothing_is_foreign_and_no_more() -> None:
    nothing = MeasuredScan("made-up", "", "", Looks(()), Looks(()), Looks(()))
    assert cases_of(nothing) == [Case(nothing, Looks(()), "", foreign=True)]


def test_no_weight_has_the_wrong_sign(coefficients: DecisionCoefficients) -> None:
    assert coefficients.weights
    for name, weight in coefficients.weights.items():
        assert FEATURE_SIGNS[name] * weight >= 0


def test_the_fit_is_the_least_loss_it_can_be(cases: list[Case]) -> None:
    examples = examples_of(cases, OPTIONS)
    best = fit(examples, OPTIONS)

    def loss(coefficients: DecisionCoefficients) -> float:
        weights = np.array([coefficients.weights.get(name, 0.0) for name in FEATURE_SIGNS])
        logit = coefficients.intercept + examples.x @ weights
        share = examples.weight / examples.weight.sum()
        ridge = 0.5 * OPTIONS.ridge * ((weights * np.maximum(examples.x.std(axis=0), 1e-6)) ** 2).sum()
        return float(share @ (np.logaddexp(0, logit) - examples.y * logit) + ridge)

    for name in ("similarity", "log_agreeing", "spread"):
        for step in (-0.3, 0.3):
            moved = DecisionCoefficients()
            moved.CopyFrom(best)
            moved.weights[name] = moved.weights.get(name, 0.0) + step
            if FEATURE_SIGNS[name] * moved.weights[name] >= 0:
                assert loss(moved) > loss(best) - 1e-9


def test_the_false_accept_rate_holds_on_scans_that_were_not_fitted_on(coefficients: DecisionCoefficients) -> None:
    decider = Decider(coefficients, Calibration())
    fresh = [case for scan in made_up_scans(200, seed=1) for case in cases_of(scan) if case.foreign]
    accepted = [decider.decide(decider.rate(c.looks.last), no_pair).kind == "match" for c in fresh]
    assert np.mean(accepted) <= 3 * OPTIONS.false_accept_rate


def test_fusing_ranks_at_least_as_well_as_the_better_of_the_two(
    judged: list[Judged], coefficients: DecisionCoefficients
) -> None:
    told = report(judged, coefficients, OPTIONS)
    source = told["sources"]["made-up"]  # type: ignore[index]
    assert source["recall_fused"] >= max(source["recall_embedding"], source["recall_keypoints"]) - 0.01
    assert source["precision"] > 0.95


def test_all_scans_of_a_product_are_in_one_fold() -> None:
    folds: dict[str, set[int]] = {}
    for scan in made_up_scans(200):
        folds.setdefault(scan.sku or scan.family, set()).add(fold_of(scan, 5))
    assert all(len(of_product) == 1 for of_product in folds.values())
    assert len(set.union(*folds.values())) == 5


def test_writing_coefficients_keeps_the_feature_space_and_the_sums(
    project_root: Path, tmp_path: Path, coefficients: DecisionCoefficients
) -> None:
    folder = tmp_path / "artifact"
    shutil.copytree(released_folder(), folder)
    before = Model.open_folder(folder)
    write_decision(folder, coefficients)
    after = Model.open_folder(folder)
    assert after.feature_space == before.feature_space
    assert after.artifact.decision == coefficients
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split(maxsplit=1)
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_released_coefficients_are_of_features_that_exist(released_model: Model) -> None:
    decision = released_model.artifact.decision
    assert set(decision.weights) <= set(FEATURE_SIGNS)
    assert all(FEATURE_SIGNS[name] * weight >= 0 for name, weight in decision.weights.items())
    assert 0.5 <= decision.match_probability < 1


def test_pictures_become_measured_scans(shared_data: Path, released_model: Model, tmp_path: Path) -> None:
    for kind, names in {"grozi120": ("0", "5", "12"), "produce": ("kiwi", "leek")}.items():
        for name in names:
            shutil.copytree(shared_data / "train" / kind / name, tmp_path / kind / name)
    (tmp_path / "boxes").mkdir()
    for path in sorted((shared_data / "train" / "boxes").glob("game_*"))[:6]:
        shutil.copy(path, tmp_path / "boxes")
    sizes = Sizes(2, 4, 2, 1, 1, 2, 2, 1)
    scans = list(measured_scans(released_model, tmp_path, sizes, 0))
    assert {s.sku for s in scans if s.source == "grozi"} == {"grozi120-5", "grozi120-12"}  # 0 is trained on
    assert [s.source for s in scans] == ["grozi"] * 4 + ["produce"] * 6 + ["boxes"] * 4 + ["drawn"] * 3
    for scan in scans:
        looks = (scan.whole, scan.without_product, scan.without_family)
        assert all(m.geometry is not None for look in looks for m in (*look.first, *look.last))
        assert all(look.closer is not None for look in looks)
        assert scan.sku not in {m.sku for look in looks[1:] for m in look.last}
    assert sum(not s.sku for s in scans) == 3


def test_pictures_of_packages_alone_are_measured_beside_drawn_ones(released_model: Model, tmp_path: Path) -> None:
    (tmp_path / "boxes").mkdir()
    for variant in range(2):
        front = draw_front(design(1, TRAIN_FAMILIES[0], variant))
        Image.fromarray(front).save(tmp_path / "boxes" / f"{variant}.jpg")
    sizes = Sizes(
        boxes=2, boxes_scanned=1, boxes_left_out=0, drawn_families=1, drawn_variants=2, drawn_scans=1, nothing=0
    )
    assert [scan.source for scan in measured_scans(released_model, tmp_path, sizes, 0)] == ["boxes", "drawn"]


def test_the_command_says_what_is_wrong_with_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--artifact", str(tmp_path), "--pictures", str(tmp_path), "--report", str(tmp_path / "report.json")]
    arguments += ["--diagram", str(tmp_path / "diagram.svg")]
    assert main(arguments) == 2
    assert "artifact.json" in capsys.readouterr().err
    assert not (tmp_path / "report.json").exists()


def test_a_report_is_json(judged: list[Judged], coefficients: DecisionCoefficients) -> None:
    assert json.loads(json.dumps(report(judged, coefficients, OPTIONS)))["coefficients"]["match_probability"]


def test_the_threshold_holds_in_the_worst_catalogue_and_for_both_kinds_of_what_is_not_in_it(
    judged: list[Judged],
) -> None:
    harder = [replace(j, case=replace(j.case, scan=replace(j.case.scan, source="harder"))) for j in judged]
    harder = [replace(j, verified=tuple(replace(r, logit=r.logit + 2) for r in j.verified)) for j in harder]
    least = match_logit(judged, 0.2, 0.05, OPTIONS)
    assert match_logit([*judged, *harder], 0.2, 0.05, OPTIONS) == pytest.approx(least + 2)
    for foreign, allowed in ((True, 0.05), (False, 0.05 * OPTIONS.left_out_allowance)):
        of_kind = [j for j in judged if not j.case.truth and j.case.foreign == foreign]
        accepted = [j.is_clear(0.2) and j.verified[0].logit > least for j in of_kind]
        assert np.mean(accepted) <= allowed + 0.01


def test_the_fit_and_its_thresholds_see_both_looks(cases: list[Case]) -> None:
    """A closer look at which all are twice as similar, and one more is found."""
    seen = []
    for case in cases:
        first = case.looks.first
        found = Measured("sku-999", "", 0.1, Geometry.none())
        closer = (*(replace(m, similarity=2 * m.similarity) for m in first), found)
        seen.append(replace(case, looks=Looks(first, closer)))
    examples = examples_of(seen, OPTIONS)
    similarities = examples.x[:, list(FEATURE_SIGNS).index("similarity")]
    expected = [[m.similarity for m in (*case.looks.first, *case.looks.last)] for case in seen]
    assert sorted(similarities[similarities > 0]) == pytest.approx(sorted(value for some in expected for value in some))
    for one in judge(seen, examples, OPTIONS):
        first, last = one.case.looks.first, one.case.looks.last
        assert {r.sku: r.evidence.similarity for r in one.verified} == {m.sku: m.similarity for m in last}
        assert {r.sku: r.evidence.similarity for r in one.first} == {m.sku: m.similarity for m in first}
        assert {r.sku for r in one.unverified} == {m.sku for m in first}


def _lost_by_the_first_look(judged: Judged) -> Judged:
    """The same case, whose product only a closer look proposed."""
    truth, first = judged.case.truth, tuple(r for r in judged.first if r.sku != judged.case.truth)
    doubted = tuple(replace(rated, probability=rated.probability * 0.1) for rated in first)
    return replace(judged, first=doubted) if truth else judged


def test_a_closer_look_is_taken_where_the_first_one_errs(judged: list[Judged]) -> None:
    cases = [_lost_by_the_first_look(j) if number % 3 == 0 else j for number, j in enumerate(judged)]
    least = closer_look_probability(cases, OPTIONS)
    sure = [j for j in cases if j.case.truth and j.first[0].probability >= least]
    assert len(sure) > 0.3 * sum(bool(j.case.truth) for j in cases)
    assert np.mean([j.first[0].sku != j.case.truth for j in sure]) <= OPTIONS.first_look_error_rate
    for before, after in zip(cases, as_scanned(cases, least), strict=True):
        assert after.verified == (before.first if before.first[0].probability >= least else before.verified)
    assert as_scanned(cases, 0.0) == [replace(j, verified=j.first) for j in cases]


def test_without_an_error_no_scan_needs_a_closer_look_but_the_doubted(judged: list[Judged]) -> None:
    right = [j for j in judged if j.is_right]
    assert closer_look_probability(right, OPTIONS) == min(j.first[0].probability for j in right)


def test_a_lower_accepted_rate_has_a_higher_threshold(judged: list[Judged], coefficients: DecisionCoefficients) -> None:
    rates = [match_logit(judged, coefficients.ambiguous_margin, rate, OPTIONS) for rate in (0.001, 0.01, 0.05)]
    assert rates == sorted(rates, reverse=True)
    assert coefficients.logit_per_decade == pytest.approx(rates[0] - rates[1])
    assert coefficients.false_accept_rate == OPTIONS.false_accept_rate


def test_probabilities_out_of_fold_are_calibrated(judged: list[Judged]) -> None:
    """The made-up scans' evidence is not what a logistic model would make, so a little is left."""
    assert reliability_of(judged).ece < 0.1
