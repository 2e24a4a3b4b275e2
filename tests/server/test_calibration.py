"""The fit of the decision to an assortment: hand-worked numbers, and a drawn assortment held to its rate."""

import io
import math
import zlib

import numpy as np
import pytest
from PIL import Image

from skuscan.catalogue import MemoryCatalogue
from skuscan.decision import Decider, Measured
from skuscan.features import FeatureExtractor
from skuscan.keypoints import Keypoints, pack
from skuscan.model import EMBEDDING_SIZE, Model
from skuscan.proto.bundle_pb2 import DecisionCoefficients
from skuscan.proto.catalogue_pb2 import Pair, Reference
from skuscan.recognizer import Recognizer
from skuscan.runtime import RuntimeOptions
from skuscan.verification import VerificationOptions
from skuscan_models.synthetic.field_view import field_view
from skuscan_models.synthetic.packaging import VALIDATION_FAMILIES, design, draw_front
from skuscan_server.calibration import (
    MIN_REFERENCES,
    VIEWS,
    LookAlikes,
    View,
    calibrate,
    calibration_of,
    drawn_views,
    fit_line,
    model_logit,
    threshold,
)
from skuscan_server.evaluation.metrics import Rate


def sold(logit: float, right: bool) -> View:
    return View(logit, -math.inf, right, sold=True)


def foreign(logit: float, rival: float = -math.inf) -> View:
    return View(logit, rival, right=False, sold=False)


def test_the_line_undoes_a_known_miscalibration() -> None:
    rng = np.random.default_rng(3)
    true_logits = rng.normal(0, 3, 20_000)
    outcomes = rng.random(20_000) < 1 / (1 + np.exp(-true_logits))
    views = [sold((logit - 1.5) / 0.5, bool(o)) for logit, o in zip(true_logits, outcomes, strict=True)]
    assert fit_line(views) == pytest.approx((1.5, 0.5), abs=0.1)


@pytest.mark.parametrize("right", [True, False])
def test_one_kind_of_outcome_keeps_the_models_own_decision(right: bool) -> None:
    assert fit_line([sold(0.0, right), sold(1.0, right)]) == (0.0, 1.0)


def test_a_line_that_falls_is_not_believed() -> None:
    views = [sold(logit, logit < 0) for logit in (-2.0, -1.0, 1.0, 2.0)]
    assert fit_line(views * 20) == (0.0, 1.0)


def test_a_separable_sample_gives_finite_numbers() -> None:
    assert np.isfinite(fit_line([sold(-1.0, False), sold(1.0, True)])).all()


def test_the_threshold_lets_just_the_accepted_share_through() -> None:
    views = [foreign(float(logit)) for logit in range(100)]
    assert [v.logit for v in views if v.logit > threshold(views, 0.2, 0.2)] == [float(n) for n in range(80, 100)]


def test_an_ambiguous_answer_does_not_raise_the_threshold() -> None:
    views = [foreign(3.0, 2.9), *[foreign(-3.0)] * 19]
    assert threshold(views, 0.2, 0.01) <= -3.0
    assert threshold(views, 0.0, 0.01) > 2.9


def test_the_models_own_threshold_follows_the_accepted_rate() -> None:
    decision = DecisionCoefficients(match_probability=0.5, false_accept_rate=0.01, logit_per_decade=2.0)
    assert [model_logit(decision, rate) for rate in (0.1, 0.01, 0.001)] == pytest.approx([-2.0, 0.0, 2.0])
    unknown = DecisionCoefficients(match_probability=0.5)
    assert model_logit(unknown, 0.001) == 0.0


@pytest.fixture(scope="module")
def assortment(released_model: Model) -> tuple[MemoryCatalogue, list[bytes]]:
    """24 drawn products of as many families, and their pictures by row."""
    extractor = FeatureExtractor.open(released_model, RuntimeOptions())
    references, pictures = [], {}
    for family in VALIDATION_FAMILIES[: MIN_REFERENCES + 4]:
        product = design(0, family, 0)
        out = io.BytesIO()
        Image.fromarray(draw_front(product)).save(out, "PNG")
        features = extractor.extract(out.getvalue())
        pictures[product.sku] = out.getvalue()
        reference_id = f"{zlib.crc32(out.getvalue()):016x}"
        references.append(
            Reference(
                sku=product.sku,
                reference_id=reference_id,
                embedding=features.embedding,
                keypoints=features.keypoints,
            )
        )
    catalogue = MemoryCatalogue(released_model, references)
    return catalogue, [pictures[catalogue.sku_of_row(row)] for row in range(len(references))]


def test_too_few_references_keep_the_models_own_decision(
    assortment: tuple[MemoryCatalogue, list[bytes]], released_model: Model
) -> None:
    catalogue, pictures = assortment
    few = MemoryCatalogue(released_model, [catalogue.reference(row) for row in range(MIN_REFERENCES - 1)])
    fitted = calibrate(few, pictures.__getitem__, 0.01, lambda *_: None)
    assert (fitted.offset, fitted.spread, fitted.references) == (0.0, 1.0, 0)
    least = released_model.artifact.decision.match_probability
    assert fitted.match_probability == pytest.approx(max(0.5, least), abs=1e-6)


@pytest.mark.guarantee("G24")
def test_the_chosen_rate_sets_the_threshold_and_holds_on_views_that_calibration_has_not_seen(
    assortment: tuple[MemoryCatalogue, list[bytes]],
) -> None:
    catalogue, pictures = assortment
    decision = catalogue.model.artifact.decision
    views = drawn_views(catalogue, range(len(pictures)), pictures.__getitem__, lambda *_: None)
    assert sum(not view.sold for view in views) == VIEWS  # so many that 1% of them is more than chance
    recognizer, rng = Recognizer(catalogue), np.random.default_rng(99)
    foreign_pictures = [draw_front(design(0, family, 0)) for family in VALIDATION_FAMILIES[1000:1120]]
    unseen = [recognizer.measure(field_view(picture, rng)).last for picture in foreign_pictures]
    known = [recognizer.measure(field_view(np.array(Image.open(io.BytesIO(p))), rng)).last for p in pictures]
    thresholds, matched = [], []
    for rate in (0.001, 0.01, 0.05):
        fitted = calibration_of(views, len(pictures), decision, rate)
        decider = Decider(decision, fitted)
        accepted = Rate.of(_answer(decider, measured) != "" for measured in unseen)
        assert accepted.interval is not None
        assert accepted.interval[0] <= rate, f"{accepted.hits} of {accepted.n} at {rate}"
        thresholds.append(fitted.match_probability)
        matched.append(sum(_answer(decider, m) == catalogue.sku_of_row(row) for row, m in enumerate(known)))
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[0] > thresholds[-1]
    assert matched == sorted(matched)
    assert matched[-1] >= len(pictures) // 2


def _answer(decider: Decider, measured: list[Measured]) -> str:
    """The SKU of a match; empty for any other answer."""
    decision = decider.decide(decider.rate(measured), lambda *_: 0.0)
    return decision.skus[0] if decision.kind == "match" else ""


@pytest.mark.parametrize("pairs", [(), (Pair(sku_a="a", sku_b="b"),)])
def test_products_of_a_published_pair_look_alike(released_model: Model, pairs: tuple[Pair, ...]) -> None:
    blank = pack(Keypoints.empty())
    references = [
        Reference(sku=sku, reference_id=f"{0:016x}", embedding=bytes(2 * EMBEDDING_SIZE), keypoints=blank)
        for sku in "ab"
    ]
    catalogue = MemoryCatalogue(released_model, references, pairs=pairs)
    for row, other in ((0, "b"), (1, "a")):
        found = LookAlikes(catalogue, VerificationOptions()).of(row, [other])
        assert found == ({other} if pairs else set())
