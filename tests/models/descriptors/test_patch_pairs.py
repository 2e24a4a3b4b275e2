"""Pairs of patches show the same place."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from skuscan.descriptors import DESCRIPTOR_BYTES, SAMPLES, network_input
from skuscan.keypoints import Keypoints
from skuscan.model import Model
from skuscan.proto.bundle_pb2 import KeypointSpec
from skuscan_models.artifacts import released_folder
from skuscan_models.descriptors.patch_pairs import LEAST, MOST, VIEWS, PatchPairs, _distances, pairs_of
from skuscan_models.synthetic.packaging import TRAIN_FAMILIES, design, draw_front

SIDE = 640  # px, of the keypoints' frame


@pytest.fixture(scope="module")
def spec() -> KeypointSpec:
    return Model.open_folder(released_folder()).artifact.keypoints


@pytest.fixture(scope="module")
def pairs(spec: KeypointSpec) -> PatchPairs:
    fronts = [draw_front(design(3, TRAIN_FAMILIES[number], 0)) for number in range(3)]
    parts = [pairs_of(front, np.random.default_rng(number), spec) for number, front in enumerate(fronts)]
    return max(parts, key=len)


def seen(places: list[tuple[float, float]], angles: list[float], sizes: list[float]) -> Any:
    """Keypoints by hand."""
    keypoints = Keypoints(
        np.array(places, np.float32),
        np.zeros((len(places), DESCRIPTOR_BYTES), np.uint8),
        np.zeros(len(places), np.uint8),
        np.array(angles, np.float32),
        SIDE,
        SIDE,
    )
    return SimpleNamespace(keypoints=keypoints, sizes=np.array(sizes, np.float32))


def likeness(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) correlation of patches."""
    first, second = network_input(some), network_input(others)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.asarray((first * second).sum(axis=1) / np.maximum(lengths, 1))


def test_both_sides_of_a_pair_look_alike_and_the_others_do_not(pairs: PatchPairs) -> None:
    assert np.median(likeness(pairs.package, pairs.photo)) > 0.4
    assert np.median(likeness(pairs.package, pairs.other)) < 0.2


def test_pairs_are_as_many_as_said_and_lie_in_their_pictures(pairs: PatchPairs) -> None:
    counts = np.unique(pairs.photos, return_counts=True)[1]
    assert 1 <= len(counts) <= len(VIEWS)
    assert (counts >= LEAST).all()
    assert (counts <= MOST).all()
    assert pairs.package.shape == (len(pairs), SAMPLES * SAMPLES)
    assert (pairs.places[..., :2] >= 0).all()
    assert (pairs.places[..., :2] < SIDE).all()


def test_no_place_of_a_photo_is_in_two_pairs_or_in_one_and_among_the_others(pairs: PatchPairs) -> None:
    for number in np.unique(pairs.photos):
        of_photo = pairs.places[pairs.photos == number]
        paired = {tuple(place) for place in of_photo[:, 1].tolist()}
        assert len(paired) == len(of_photo)
        assert not paired & {tuple(place) for place in of_photo[:, 2].tolist()}


def test_the_same_seed_gives_the_same_pairs(spec: KeypointSpec) -> None:
    front = draw_front(design(3, TRAIN_FAMILIES[0], 0))
    first, second = (pairs_of(front, np.random.default_rng(5), spec) for _ in range(2))
    assert np.array_equal(first.photo, second.photo)
    assert np.array_equal(first.places, second.places)


@pytest.mark.parametrize("front", [np.full((300, 300, 3), 250, np.uint8), np.zeros((20, 20, 3), np.uint8)])
def test_a_front_without_print_has_no_pairs(front: np.ndarray, spec: KeypointSpec) -> None:
    assert len(pairs_of(front, np.random.default_rng(0), spec)) == 0


def test_a_pair_agrees_on_place_turn_and_size() -> None:
    """The photo shows the package at twice the size, a quarter turned: x, y -> 300 - 2y, 2x."""
    twice = np.array([[0, -2, 300], [2, 0, 0], [0, 0, 1]], np.float64)
    package = seen([(50, 40)], [350], [1])
    photo = seen([(220, 100)] * 4 + [(222, 100), (232, 100)], [80, 80, 350, 70, 80, 80], [2, 1.2, 2, 2.4, 2, 2])
    apart = _distances(package, photo, twice)[0]
    assert np.isfinite(apart).tolist() == [True, False, False, True, True, False]
    assert apart[[0, 4]].tolist() == pytest.approx([0, 1])  # px of the keypoint's own size
