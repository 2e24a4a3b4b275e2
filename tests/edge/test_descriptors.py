"""The bits of a keypoint: the same everywhere, and the same of one print however it is turned and lit."""

import hashlib
from importlib.resources import files

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.descriptors import (
    DESCRIPTOR_BYTES,
    INPUT_LIMIT,
    SAMPLES,
    cut_patches,
    describe,
    network_input,
    released_weights,
)
from skuscan.keypoint_extraction import KeypointExtractor

WEIGHTS = {"orb-3": "8d3a8ef9327c770900f9e00058b2df0a1ca99294f0bed9de161a7d56d85946c9"}
EXACT = 2**24  # whole numbers that float32 holds
SCALE_FACTOR = 1.2
UNRELATED = 80  # bits of 160 in which two patches differ that have nothing in common


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """(480, 480) uint8: shapes of many sizes."""
    rng = np.random.default_rng(4)
    grey = np.full((480, 480), 200, np.uint8)
    for _ in range(160):
        x, y, size = (int(v) for v in rng.integers((0, 0, 6), (480, 480, 60)))
        cv2.rectangle(grey, (x, y), (x + size, y + size // 2), int(rng.integers(0, 255)), -1)
        cv2.circle(grey, (y, x), size // 3, int(rng.integers(0, 255)), -1)
    return grey


def places(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keypoints away from the picture's borders: (count, 2) px, octaves, angles."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(120, 360, (count, 2)).astype(np.float32)
    return xy, rng.integers(0, 5, count).astype(np.uint8), rng.uniform(0, 360, count).astype(np.float32)


def differing(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.asarray(np.unpackbits(some ^ others, axis=1).sum(axis=1))


def test_other_weights_are_another_version() -> None:
    data = files("skuscan").joinpath("descriptors.npz").read_bytes()
    assert hashlib.sha256(data).hexdigest() == WEIGHTS[KeypointExtractor.VERSION]


def test_no_sum_leaves_the_whole_numbers_that_float32_holds() -> None:
    weights = released_weights()
    for kernel, bias in ((weights.hidden, weights.hidden_bias), (weights.last, weights.last_bias)):
        assert np.array_equal(kernel, np.rint(kernel))
        assert np.abs(kernel).max() <= INPUT_LIMIT
        assert (INPUT_LIMIT * np.abs(kernel).sum(axis=0) + np.abs(bias)).max() < EXACT


@given(st.integers(0, 2**32), st.integers(1, 20))
def test_bits_are_those_of_whole_numbers(seed: int, count: int) -> None:
    inputs = np.random.default_rng(seed).integers(-INPUT_LIMIT, INPUT_LIMIT + 1, (count, SAMPLES * SAMPLES))
    weights = released_weights()
    hidden = inputs @ weights.hidden.astype(np.int64) + weights.hidden_bias.astype(np.int64)
    hidden = np.clip(hidden >> weights.shift, 0, INPUT_LIMIT)
    expected = hidden @ weights.last.astype(np.int64) + weights.last_bias.astype(np.int64) > 0
    assert np.array_equal(weights.bits(inputs.astype(np.float32)), expected)


def test_a_turned_picture_gives_nearly_the_same_bits(picture: np.ndarray) -> None:
    xy, octaves, angles = places(80)
    turned = np.ascontiguousarray(np.rot90(picture, k=-1))  # a quarter clockwise, as angles count
    there = np.column_stack([picture.shape[0] - 1 - xy[:, 1], xy[:, 0]]).astype(np.float32)
    some = describe(picture, xy, octaves, angles, SCALE_FACTOR)
    same = describe(turned, there, octaves, (angles + 90) % 360, SCALE_FACTOR)
    assert np.median(differing(some, same)) < UNRELATED / 8
    assert np.median(differing(some, describe(turned, there, octaves, angles, SCALE_FACTOR))) > UNRELATED / 2


def test_a_larger_print_has_nearly_the_same_bits_an_octave_up(picture: np.ndarray) -> None:
    xy, octaves, angles = places(80)
    larger = cv2.resize(picture, None, fx=SCALE_FACTOR**2, fy=SCALE_FACTOR**2, interpolation=cv2.INTER_LINEAR)
    there = ((xy + 0.5) * np.float32(larger.shape[0] / picture.shape[0]) - 0.5).astype(np.float32)
    some = describe(picture, xy, octaves, angles, SCALE_FACTOR)
    same = describe(larger, there, octaves + np.uint8(2), angles, SCALE_FACTOR)
    assert np.median(differing(some, same)) < UNRELATED / 4


def test_light_and_contrast_change_little(picture: np.ndarray) -> None:
    darker = (picture * 0.6 + 20).astype(np.uint8)
    some, same = (describe(grey, *places(80), SCALE_FACTOR) for grey in (picture, darker))
    assert np.median(differing(some, same)) < UNRELATED / 8


def test_places_differ_in_half_of_the_bits(picture: np.ndarray) -> None:
    bits = describe(picture, *places(200), SCALE_FACTOR)
    assert UNRELATED * 0.8 < np.mean(differing(bits[:100], bits[100:])) < UNRELATED * 1.2


def test_a_plain_patch_is_no_noise() -> None:
    """A step or two of grey, as a camera adds them, are not blown up to a whole patch's contrast."""
    noise = np.random.default_rng(0).integers(100, 102, (1, SAMPLES * SAMPLES)).astype(np.uint8)
    assert np.abs(network_input(noise)).max() < INPUT_LIMIT / 20


@pytest.mark.parametrize("shape", [(1, 1), (31, 640), (640, 3)])
def test_a_place_at_the_edge_has_a_patch(shape: tuple[int, int]) -> None:
    height, width = shape
    corners = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], np.float32)
    octaves = np.array([0, 7, 3, 0], np.uint8)
    patches = cut_patches(np.full(shape, 90, np.uint8), corners, octaves, np.full(4, 45, np.float32), SCALE_FACTOR)
    assert (patches == 90).all()  # nothing from beyond the picture, or from another octave


def test_no_keypoints_have_no_bits() -> None:
    none = np.zeros((0, 2), np.float32), np.zeros(0, np.uint8), np.zeros(0, np.float32)
    assert describe(np.zeros((40, 40), np.uint8), *none, SCALE_FACTOR).shape == (0, DESCRIPTOR_BYTES)
