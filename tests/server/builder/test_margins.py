"""Margins of look-alike pairs: hand-worked numbers, and a published pair of two packages that differ in little."""

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skuscan.decision import ahead
from skuscan.features import FeatureExtractor
from skuscan.model import Model
from skuscan.proto.catalogue_pb2 import RECORD_KIND_PAIR, Pair, Reference
from skuscan.runtime import RuntimeOptions
from skuscan_models.synthetic.packaging import VALIDATION_FAMILIES, design, draw_front
from skuscan_server.builder.margins import (
    LARGEST_MARGIN,
    VIEWS,
    LeadJob,
    choose_pairs,
    measure_leads,
    with_margin,
)
from skuscan_server.builder.pairs import SimilarPair
from skuscan_server.features import Recipe
from skuscan_server.services import Services

PAIR = SimilarPair("A", "B", 0.9)
OWN = 0.2


def fitted(a: list[float], b: list[float]) -> float:
    return with_margin(PAIR, {"A": {"B": a}, "B": {"A": b}}, OWN).minimum_margin


def test_one_in_fifty_normal_leads_is_beyond_the_margin() -> None:
    rng = np.random.default_rng(1)
    beyond = []
    for _ in range(200):
        margin = fitted(list(rng.normal(0, 1, 6)), list(rng.normal(0, 1, 6)))
        beyond.append(np.mean([ahead(lead, 0.0) >= max(margin, OWN) for lead in rng.normal(0, 1, 500)]))
    assert 0.01 < np.mean(beyond) < 0.04


def test_two_products_that_are_never_mixed_up_keep_the_models_own_margin() -> None:
    assert fitted([-8.0, -7.0, -9.0], [-6.0, -7.0, -8.0]) == 0.0


def test_the_views_of_both_products_count() -> None:
    assert fitted([-9.0, -9.5, -9.0], [0.0, 1.0, 2.0]) == fitted([0.0, 1.0, 2.0], [-9.0, -9.5, -9.0]) > OWN


def test_views_that_show_a_product_very_plainly_do_not_widen_its_margin() -> None:
    plain = [-30.0, -40.0, -50.0]
    assert fitted([*plain, -1.0, -1.1, -0.9, -1.0], [*plain, -1.0, -1.1, -0.9, -1.0]) == 0.0


def test_a_margin_is_rounded_up_and_stays_below_one() -> None:
    assert fitted([9.0, 10.0, 11.0], [0.0, 0.0, 0.0]) == LARGEST_MARGIN
    needed = math.tanh((0.5 + 2.0537 * math.sqrt(0.125 * 5 / 4)) / 2)
    assert fitted([0.0, 0.5, 1.0], [0.0, 0.5, 1.0]) == math.ceil(needed * 100) / 100


def test_a_pair_that_was_not_measured_keeps_the_models_own_margin() -> None:
    assert with_margin(PAIR, {}, OWN) == PAIR
    assert with_margin(PAIR, {"A": {"B": [5.0, 6.0]}}, OWN) == PAIR


def test_the_most_similar_pairs_are_measured_and_no_more_products_than_allowed() -> None:
    pairs = [SimilarPair("A", "B", 0.8), SimilarPair("B", "C", 0.9), SimilarPair("D", "E", 0.7)]
    assert choose_pairs(pairs, 3) == {"A": {"B"}, "B": {"A", "C"}, "C": {"B"}}
    assert choose_pairs(pairs, 1) == {}
    assert len(choose_pairs(pairs)) == 5


def drawn(variant: int, dots: int = 0) -> bytes:
    """A package as PNG; with a few pixels of another colour it is another picture of the same look."""
    picture = draw_front(design(0, VALIDATION_FAMILIES[0], variant))
    picture[:2, :dots] = 0
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


def test_leads_are_measured_by_the_device_s_own_code(released_model: Model, project_root: Path) -> None:
    extractor = FeatureExtractor.open(released_model, RuntimeOptions())
    references = []
    for number in range(2):
        stored = extractor.extract(drawn(number))
        references.append(
            Reference(
                sku=f"SKU-{number}",
                reference_id=f"{number:016x}",
                embedding=stored.embedding,
                keypoints=stored.keypoints,
                appearance=stored.appearance,
            ).SerializeToString()
        )
    folder = project_root / "models" / "artifacts" / released_model.artifact.name
    job = LeadJob("SKU-0", drawn(0), tuple(references))
    leads = measure_leads(job, Recipe(str(folder), 240))
    assert list(leads) == ["SKU-1"]
    assert len(leads["SKU-1"]) == len(VIEWS)
    assert np.mean(leads["SKU-1"]) < 0
    assert measure_leads(job, Recipe(str(folder), 240)) == leads


def test_a_pairs_margin_is_published_and_stays_until_one_of_the_two_changes(
    services: Services,
    import_rows: Callable[..., object],
    published: Callable[[], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(3):
        (tmp_path / f"front-{number}.png").write_bytes(drawn(0, dots=number))
    rows = [{"sku": f"SKU-{n}", "name": "Twin", "image": f"front-{n}.png"} for n in range(2)]
    import_rows(rows)
    asked: list[str] = []

    def leads(job: LeadJob, _: Recipe) -> dict[str, list[float]]:
        asked.append(job.sku)
        other = {"SKU-0": "SKU-1", "SKU-1": "SKU-0"}[job.sku]
        assert {Reference.FromString(data).sku for data in job.references} == {job.sku, other}
        return {other: [0.0, 1.0, 2.0]}

    monkeypatch.setattr("skuscan_server.builder.margins.measure_leads", leads)
    services.publish("default")
    (data,) = (data for (kind, _), data in published().records.items() if kind == RECORD_KIND_PAIR)
    assert Pair.FromString(data).minimum_margin > OWN
    import_rows([{"sku": "SKU-0", "name": "Renamed", "image": "front-0.png"}])
    services.publish("default")
    assert published().records[RECORD_KIND_PAIR, "SKU-0\x1fSKU-1"] == data
    assert sorted(asked) == ["SKU-0", "SKU-1"]
    import_rows([{"sku": "SKU-1", "name": "Twin", "image": f"front-{n}.png"} for n in (1, 2)])
    services.publish("default")
    assert sorted(asked) == ["SKU-0", "SKU-0", "SKU-1", "SKU-1"]
