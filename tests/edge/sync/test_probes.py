"""The default trial, with the released model on this machine's runtime."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from skuscan.catalogue import MemoryCatalogue
from skuscan.errors import ModelError, PictureError, StoreError
from skuscan.features import FeatureExtractor
from skuscan.proto.bundle_pb2 import Probe
from skuscan.proto.catalogue_pb2 import Product, Reference
from skuscan.runtime import RuntimeOptions
from skuscan.scan import Eye
from skuscan.sync.probes import check_probes

SKUS = ("a", "b", "c")


def picture(seed: int) -> bytes:
    """Coloured shapes, another arrangement for each seed."""
    rng = np.random.default_rng(seed)
    canvas = np.full((240, 180, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(40):
        corner, size = rng.integers(0, 180, 2), rng.integers(8, 60, 2)
        cv2.rectangle(canvas, corner.tolist(), (corner + size).tolist(), rng.integers(0, 256, 3).tolist(), -1)
    return cv2.imencode(".png", canvas)[1].tobytes()


class Trial(MemoryCatalogue):
    """A generation on trial, in memory."""

    def __init__(self, model, references, products, probes: list[tuple[Probe, bytes]]) -> None:
        super().__init__(model, references, products)
        self.probes = [probe for probe, _ in probes]
        self._pictures = {probe.sku: data for probe, data in probes}

    def probe_picture(self, probe: Probe) -> bytes:
        return self._pictures[probe.sku]


@pytest.fixture(scope="module")
def features(released_model):
    extractor = FeatureExtractor.open(released_model, RuntimeOptions())
    return {sku: extractor.extract(picture(seed)) for seed, sku in enumerate(SKUS)}


@pytest.fixture
def trial(released_model, features):
    """A generation whose probes are the pictures of `shown`, by SKU."""

    def make(embeddings=None, pictures=None) -> Trial:
        references = [
            Reference(sku=sku, reference_id=f"{seed:016x}", embedding=f.embedding, keypoints=f.keypoints)
            for seed, (sku, f) in enumerate(features.items())
        ]
        probes = []
        for seed, sku in enumerate(SKUS):
            embedding = (embeddings or {}).get(sku, features[sku].embedding)
            probes.append((Probe(sku=sku, embedding=embedding), (pictures or {}).get(sku, picture(seed))))
        return Trial(released_model, references, [Product(sku=sku, name=sku) for sku in SKUS], probes)

    return make


def test_a_good_generation_passes(trial):
    check_probes(trial())


def test_a_model_that_is_open_is_not_opened_again(trial, released_model, monkeypatch):
    eye = Eye.open(released_model, RuntimeOptions())
    monkeypatch.delattr(Eye, "open")
    check_probes(trial(), eye=eye)


def test_a_generation_with_another_model_is_tried_with_its_own(trial, released_model):
    eye = Eye.open(released_model, RuntimeOptions())
    check_probes(trial(), eye=replace(eye, feature_space=bytes(32)))


@pytest.mark.guarantee("G6")
def test_an_embedding_that_this_runtime_does_not_make_fails(trial, features):
    with pytest.raises(ModelError, match=r"cosine of at least 0\.99 .* for 'b'"):
        check_probes(trial(embeddings={"b": features["a"].embedding}))
    large, small = features["b"].embedding[:256], features["a"].embedding[256:]
    with pytest.raises(ModelError, match=r"cosine of at least 0\.99 .* for 'b'"):
        check_probes(trial(embeddings={"b": large + small}))


@pytest.mark.guarantee("G6")
def test_a_probe_that_looks_like_another_sku_fails(trial, features):
    with pytest.raises(ModelError, match="a probe looks most like its own SKU; received 'a' for 'b'"):
        check_probes(trial(embeddings={"b": features["a"].embedding}, pictures={"b": picture(0)}))


def test_a_probe_that_is_no_picture_fails(trial):
    with pytest.raises(PictureError):
        check_probes(trial(pictures={"c": b"no picture"}))


def test_a_damaged_record_is_damage_and_no_verdict(trial, monkeypatch):
    def damaged(self, row):
        raise StoreError("a record has its SHA-256", "damaged")

    monkeypatch.setattr(Trial, "reference", damaged)
    with pytest.raises(StoreError):
        check_probes(trial())


def test_a_catalogue_without_references_fails_its_probes(released_model, features):
    probe = Probe(sku="a", embedding=features["a"].embedding)
    with pytest.raises(ModelError, match="received 'none' for 'a'"):
        check_probes(Trial(released_model, [], [], [(probe, picture(0))]))
