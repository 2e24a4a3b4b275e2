"""The fit of the decision to an assortment: hand-worked numbers, and a drawn assortment held to its rate."""

import io
import math
import zlib

import numpy as np
import pytest
from PIL import Image

from skuscan.catalogue import MemoryCatalogue
from skuscan.features import FeatureExtractor
from skuscan.model import Model
from skuscan.proto.catalogue_pb2 import Reference
from skuscan.recognizer import Recognizer
from skuscan.runtime import RuntimeOptions
from skuscan_models.synthetic.field_view import field_view
from skuscan_models.synthetic.packaging import VALIDATION_FAMILIES, design, draw_front
from skuscan_server.calibration import MIN_REFERENCES, View, calibrate, fit_line, threshold


def test_the_line_undoes_a_known_miscalibration() -> None:
    rng = np.random.default_rng(3)
    true_logits = rng.normal(0, 3, 20_000)
    outcomes = rng.random(20_000) < 1 / (1 + np.exp(-true_logits))
    offset, spread = fit_line(list((true_logits - 1.5) / 0.5), [bool(o) for o in outcomes])
    assert (offset, spread) == pytest.approx((1.5, 0.5), abs=0.1)


@pytest.mark.parametrize("outcomes", [[True, True], [False, False]])
def test_one_kind_of_outcome_keeps_the_models_own_decision(outcomes: list[bool]) -> None:
    assert fit_line([0.0, 1.0], outcomes) == (0.0, 1.0)


def test_a_line_that_falls_is_not_believed() -> None:
    assert fit_line([-2.0, -1.0, 1.0, 2.0] * 20, [True, True, False, False] * 20) == (0.0, 1.0)


def test_a_separable_sample_gives_finite_numbers() -> None:
    offset, spread = fit_line([-1.0, 1.0], [False, True])
    assert np.isfinite([offset, spread]).all()


def absent(logit: float, rival: float = -math.inf) -> View:
    return View(logit, rival, right=False, absent=True)


def test_the_threshold_lets_just_the_accepted_share_through() -> None:
    views = [absent(float(logit)) for logit in range(100)]
    limit = threshold(views, 0.0, 0.05, 0.2, 0.02)
    accepted = [v for v in views if 1 / (1 + math.exp(-0.05 * v.logit)) >= limit]
    assert [v.logit for v in accepted] == [98.0, 99.0]


def test_the_threshold_never_falls_below_even_odds() -> None:
    assert threshold([absent(-5.0)] * 10, 0.0, 1.0, 0.2, 0.1) == 0.5


def test_an_ambiguous_answer_does_not_raise_the_threshold() -> None:
    views = [absent(3.0, 2.9), *[absent(-3.0)] * 9]
    assert threshold(views, 0.0, 1.0, 0.2, 0.01) == 0.5
    assert threshold(views, 0.0, 1.0, 0.0, 0.01) > 0.95


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
    assert fitted.match_probability == released_model.artifact.decision.match_probability


@pytest.mark.guarantee("G24")
def test_the_accepted_rate_holds_on_views_that_calibration_has_not_seen(
    assortment: tuple[MemoryCatalogue, list[bytes]],
) -> None:
    catalogue, pictures = assortment
    fitted = calibrate(catalogue, pictures.__getitem__, 0.05, lambda *_: None)
    assert fitted.references == len(pictures)
    catalogue.calibration.CopyFrom(fitted)
    recognizer, rng = Recognizer(catalogue), np.random.default_rng(99)
    foreign = [draw_front(design(0, family, 0)) for family in VALIDATION_FAMILIES[1000:1040]]
    wrong = sum(recognizer.identify(field_view(p, rng)).decision.kind == "match" for p in foreign)
    assert wrong <= 5  # 0.05 of 40 is 2; more than 5 has a probability of 1.4%
    right = sum(
        recognizer.identify(field_view(np.array(Image.open(io.BytesIO(pictures[row]))), rng)).decision.skus
        == (catalogue.sku_of_row(row),)
        for row in range(len(pictures))
    )
    assert right >= len(pictures) // 2
