"""Picture -> unit vector, and the int8 form in which vectors travel."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.embedding import Embedder, apply_head, dequantize, quantize
from skuscan.errors import ModelError
from skuscan.model import EMBEDDING_SIZE, REFERENCE_FILLS, Head, Model
from skuscan.picture import letterbox
from skuscan.proto.bundle_pb2 import ModelArtifact, PreprocessSpec
from skuscan.runtime import Runtime, RuntimeOptions

QUANTISED_COSINE = 0.9999  # least cosine of a vector and its int8 form: an error of 0.3 steps of 127 in a component


@pytest.fixture(scope="module")
def embedder(released_model: Model) -> Embedder:
    return Embedder.open(released_model, RuntimeOptions())


def package(seed: int) -> np.ndarray:
    """A drawn package: blocks of colour and words."""
    rng = np.random.default_rng(seed)
    rgb = cv2.resize(rng.integers(0, 256, (5, 4, 3), dtype=np.uint8), (240, 300), interpolation=cv2.INTER_NEAREST)
    cv2.putText(rgb, f"No {seed}", (20, 160), cv2.FONT_HERSHEY_DUPLEX, 2, (255, 255, 255), 4)
    return np.asarray(rgb, np.uint8)


def head_of(channels: int, gem_p: float, seed: int = 0) -> Head:
    rng = np.random.default_rng(seed)
    projection = rng.normal(size=(channels, EMBEDDING_SIZE)).astype(np.float32)
    bias = rng.normal(size=EMBEDDING_SIZE).astype(np.float32)
    return Head(gem_p, projection, bias, attention=np.zeros(channels, np.float32))


def test_an_embedding_is_a_unit_vector_of_256(embedder: Embedder) -> None:
    got = embedder.embed(package(1))
    assert got.shape == (256,)
    assert got.dtype == np.float32
    assert np.linalg.norm(got) == pytest.approx(1, abs=1e-6)


def test_the_same_package_in_another_light_is_nearer_than_another_package(embedder: Embedder) -> None:
    first, darker, other = (embedder.embed(p) for p in (package(1), (package(1) * 0.8).astype(np.uint8), package(2)))
    assert first @ darker > first @ other + 0.1


@pytest.mark.guarantee("G23")
def test_an_embedding_is_the_same_bits_in_any_thread_and_after_opening_again(
    embedder: Embedder, released_model: Model
) -> None:
    expected = embedder.embed(package(3)).tobytes()
    with ThreadPoolExecutor(4) as pool:
        assert {v.tobytes() for v in pool.map(embedder.embed, [package(3)] * 8)} == {expected}
    assert Embedder.open(released_model, RuntimeOptions()).embed(package(3)).tobytes() == expected


def test_a_picture_that_fills_the_square_already_embeds_as_its_letterbox(embedder: Embedder) -> None:
    square = letterbox(package(4), 224, 255)
    np.testing.assert_array_equal(embedder.embed(package(4)), embedder.embed(square))


def test_a_reference_embeds_large_and_small(embedder: Embedder) -> None:
    squares = [letterbox(package(4), 224, 255, fill) for fill in REFERENCE_FILLS]
    large, small = embedder.embed_reference(package(4))
    np.testing.assert_array_equal([large, small], [embedder.embed(square) for square in squares])
    np.testing.assert_array_equal(large, embedder.embed(package(4)))  # as a scan shows it
    assert large @ small < 0.95


@pytest.mark.parametrize("rgb", [np.zeros((1, 1, 3), np.uint8), np.full((3, 900, 3), 255, np.uint8)])
def test_plain_and_tiny_pictures_have_an_embedding_too(embedder: Embedder, rgb: np.ndarray) -> None:
    assert np.isfinite(embedder.embed(rgb)).all()


@pytest.mark.parametrize("gem_p", [1.0, 2.6, 3.0, 4.5])
def test_the_head_is_gem_projection_and_unit_length(gem_p: float) -> None:
    head = head_of(40, gem_p)
    feature_map = np.random.default_rng(1).normal(size=(7, 7, 40)).astype(np.float32)
    values = np.maximum(feature_map.reshape(49, 40).astype(np.float64), 1e-6)
    vector = (values**gem_p).mean(axis=0) ** (1 / gem_p) @ head.projection.astype(np.float64) + head.bias
    np.testing.assert_allclose(apply_head(head, feature_map), vector / np.linalg.norm(vector), atol=2e-6)


def test_a_location_counts_as_much_as_attention_says() -> None:
    rng = np.random.default_rng(2)
    feature_map = rng.uniform(0, 6, (3, 3, 40)).astype(np.float32)
    attention = rng.normal(size=40).astype(np.float32)
    weights = 1 / (1 + np.exp(-(feature_map.reshape(9, 40).astype(np.float64) @ attention)))
    pooled = (weights @ feature_map.reshape(9, 40).astype(np.float64) ** 2 / weights.sum()) ** 0.5
    head = replace(head_of(40, 2.0), attention=attention)
    vector = pooled @ head.projection + head.bias
    np.testing.assert_allclose(apply_head(head, feature_map), vector / np.linalg.norm(vector), atol=2e-6)


def test_a_map_that_attracts_no_attention_still_has_an_embedding() -> None:
    head = replace(head_of(40, 3.0), attention=np.full(40, -100, np.float32))
    assert np.isfinite(apply_head(head, np.full((7, 7, 40), 6, np.float32))).all()


def test_a_vector_without_a_direction_is_zeros() -> None:
    head = Head(
        3.0, np.zeros((4, EMBEDDING_SIZE), np.float32), np.zeros(EMBEDDING_SIZE, np.float32), np.zeros(4, np.float32)
    )
    got = apply_head(head, np.ones((2, 2, 4), np.float32))
    assert (got == 0).all()
    assert (quantize(got) == 0).all()
    assert (dequantize(quantize(got)) == 0).all()


@given(st.integers(0, 2**32 - 1), st.integers(-6, 0), st.floats(0, 0.99))
def test_int8_vectors_keep_their_direction(seed: int, exponent: int, zeros: float) -> None:
    rng = np.random.default_rng(seed)
    vector = rng.normal(scale=10.0**exponent, size=EMBEDDING_SIZE).astype(np.float32)
    vector[: int(zeros * EMBEDDING_SIZE)] = 0
    rows = quantize(vector)
    assert rows.dtype == np.int8
    assert np.abs(rows.astype(int)).max() == 127
    steps = vector.astype(np.float64) / np.abs(vector).max() * 127
    assert np.abs(rows - steps).max() <= 0.5 + 1e-4


def test_each_of_several_vectors_fills_its_own_range() -> None:
    vectors = np.random.default_rng(1).normal(size=(2, EMBEDDING_SIZE)).astype(np.float32)
    vectors[1] *= 1e-3
    np.testing.assert_array_equal(quantize(vectors), [quantize(vector) for vector in vectors])


def test_an_int8_embedding_is_nearly_the_embedding(embedder: Embedder) -> None:
    vector = embedder.embed(package(5))
    assert vector @ dequantize(quantize(vector)) > QUANTISED_COSINE
    np.testing.assert_array_equal(quantize(dequantize(quantize(vector))), quantize(vector))


def test_rows_are_unit_vectors_again() -> None:
    rows = np.random.default_rng(0).integers(-127, 128, (5, EMBEDDING_SIZE), dtype=np.int8)
    np.testing.assert_allclose(np.linalg.norm(dequantize(rows), axis=1), 1, atol=1e-6)


def test_a_head_of_another_network_is_refused(released_model: Model) -> None:
    with pytest.raises(ModelError, match="40 and 1280"):
        Embedder.open(replace(released_model, head=head_of(40, 3.0)), RuntimeOptions())


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"size": 192}, "224 and 192 px"),
        ({"channel_order": "BGR"}, "RGB"),
        ({"resampling": "nearest"}, "area"),
        ({"letterbox_grey": 256}, "grey"),
        ({"scale": 0.0}, "scale"),
        ({"scale": 255.0}, "raw pixels"),
        ({"offset": 0.0}, "raw pixels"),
    ],
)
def test_a_preprocessing_that_the_network_was_not_made_for_is_refused(
    released_model: Model, changes: dict[str, object], rule: str
) -> None:
    artifact = ModelArtifact()
    artifact.CopyFrom(released_model.artifact)
    for field, value in changes.items():
        setattr(artifact.preprocess, field, value)
    with pytest.raises(ModelError, match=rule):
        Embedder.open(replace(released_model, artifact=artifact), RuntimeOptions())


def test_a_spec_that_says_nothing_is_refused(released_model: Model) -> None:
    with pytest.raises(ModelError):
        Embedder(PreprocessSpec(), released_model.head, Runtime.open(released_model.backbone))
