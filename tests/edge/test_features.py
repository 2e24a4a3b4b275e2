"""What is stored of a reference picture."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from skuscan import model
from skuscan.embedding import Embedder, quantize
from skuscan.errors import PictureError
from skuscan.features import FeatureExtractor
from skuscan.keypoints import unpack
from skuscan.model import Model, feature_space
from skuscan.picture import load_picture
from skuscan.proto.bundle_pb2 import ModelArtifact
from skuscan.runtime import RuntimeOptions


@pytest.fixture(scope="module")
def extractor(released_model: Model) -> FeatureExtractor:
    return FeatureExtractor.open(released_model, RuntimeOptions())


def packshot() -> bytes:
    """A PNG of a package with words in many places."""
    rng = np.random.default_rng(7)
    rgb = np.full((480, 360, 3), 230, np.uint8)
    for row in range(8):
        colour = tuple(int(c) for c in rng.integers(0, 160, 3))
        cv2.putText(rgb, f"Oats {row} %&*", (10, 50 + 55 * row), cv2.FONT_HERSHEY_TRIPLEX, 1.4, colour, 2)
    out = BytesIO()
    Image.fromarray(rgb).save(out, "PNG")
    return out.getvalue()


def test_features_are_the_embedding_and_the_keypoints_of_the_picture(
    extractor: FeatureExtractor, released_model: Model
) -> None:
    got = extractor.extract(packshot())
    vector = Embedder.open(released_model, RuntimeOptions()).embed_reference(load_picture(packshot()))
    assert got.embedding == quantize(vector).tobytes()
    keypoints = unpack(got.keypoints)
    assert 50 < len(keypoints) <= released_model.artifact.keypoints.reference_keypoints
    assert (got.quality.width, got.quality.height, got.quality.keypoints) == (360, 480, len(keypoints))


def test_the_same_picture_gives_the_same_features(extractor: FeatureExtractor) -> None:
    first = extractor.extract(packshot())
    assert extractor.extract(packshot()) == first
    assert extractor.extract(load_picture(packshot())) == first


def test_a_plain_picture_has_features_without_keypoints(extractor: FeatureExtractor) -> None:
    got = extractor.extract(np.full((50, 50, 3), 128, np.uint8))
    assert (got.quality.keypoints, got.quality.blur) == (0, 1.0)
    assert len(unpack(got.keypoints)) == 0
    assert len(got.embedding) == 512


def test_a_damaged_picture_is_refused(extractor: FeatureExtractor) -> None:
    with pytest.raises(PictureError):
        extractor.extract(packshot()[:1000])


def test_everything_that_decides_what_a_vector_means_is_part_of_the_feature_space(
    released_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    spaces = {released_model.feature_space}
    for change in (
        lambda artifact: setattr(artifact.backbone, "sha256", bytes(32)),
        lambda artifact: setattr(artifact.head, "sha256", bytes(32)),
        lambda artifact: setattr(artifact.preprocess, "letterbox_grey", 1),
        lambda artifact: setattr(artifact.keypoints, "levels", 1),
    ):
        artifact = ModelArtifact()
        artifact.CopyFrom(released_model.artifact)
        change(artifact)
        spaces.add(feature_space(artifact))
    monkeypatch.setattr(model, "REFERENCE_FILLS", (1.0, 0.5))
    assert len(spaces | {feature_space(released_model.artifact)}) == 6
    artifact = ModelArtifact()
    artifact.CopyFrom(released_model.artifact)
    artifact.decision.Clear()
    assert feature_space(artifact) == released_model.feature_space
