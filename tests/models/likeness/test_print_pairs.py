"""Pairs of crops show one place, of one print or of siblings."""

import numpy as np
import pytest

from skuscan.likeness import SIDE, network_input
from skuscan.model import Model
from skuscan_models.artifacts import released_folder
from skuscan_models.likeness.disturbance import Disturbance
from skuscan_models.likeness.print_pairs import PHOTOS, PrintPairs, joined, pairs_of
from skuscan_models.likeness.siblings import made_sibling
from skuscan_models.synthetic.packaging import TRAIN_FAMILIES, design, draw_front


@pytest.fixture(scope="module")
def pairs() -> PrintPairs:
    spec = Model.open_folder(released_folder()).artifact.keypoints
    parts = []
    for family in range(4):
        fronts = [draw_front(design(3, TRAIN_FAMILIES[family], variant)) for variant in range(3)]
        parts.append(pairs_of(fronts, np.random.default_rng(family), spec))
    return joined(parts)


def alike(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) correlation of crops."""
    first, second = (network_input(crops).reshape(len(crops), -1) for crops in (some, others))
    return np.asarray((first * second).sum(axis=1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1))


def test_photos_are_paired_with_what_verification_registered(pairs: PrintPairs) -> None:
    assert 4 <= len(pairs) <= 4 * PHOTOS * 3
    assert pairs.references.shape == pairs.scans.shape == (len(pairs), SIDE, SIDE, 3)
    assert 0 < pairs.same.sum() <= 4 * PHOTOS
    assert not pairs.same.all()


def test_a_scan_of_the_same_print_is_more_alike_than_one_of_a_sibling(pairs: PrintPairs) -> None:
    found = alike(pairs.references, pairs.scans)
    assert np.median(found[pairs.same]) > np.median(found[~pairs.same])
    assert np.median(found[pairs.same]) > 0.5


def test_a_made_sibling_differs_in_one_place() -> None:
    rng = np.random.default_rng(0)
    front, other = (rng.integers(0, 256, (200, 120, 3), np.uint8) for _ in range(2))
    for seed in range(20):
        sibling = made_sibling(front, other, np.random.default_rng(seed))
        differs = (sibling != front).any(axis=2)
        assert sibling.shape == front.shape
        assert 0.01 < differs.mean() < 0.35
        rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        assert differs[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean() > 0.8


def test_a_disturbed_crop_is_still_the_same_print() -> None:
    rng = np.random.default_rng(0)
    crops = np.kron(rng.integers(0, 256, (8, 16, 16, 3)), np.ones((1, 8, 8, 1))).astype(np.uint8)
    disturbance = Disturbance()
    scans = np.stack([disturbance.of_scan(crop, crops[0], rng) for crop in crops[1:]])
    references = np.stack([disturbance.of_reference(crop, rng) for crop in crops[1:]])
    assert alike(references, scans).min() > 0.5
    assert (scans != crops[1:]).any(axis=(1, 2, 3)).all()
    assert np.abs(alike(crops[1:], np.roll(scans, 1, axis=0))).max() < 0.3
