"""Where a closer look is taken."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.embedding import Embedder
from skuscan.focus import REACH, excited_part, is_small
from skuscan.model import Model
from skuscan.runtime import RuntimeOptions


def excited_at(*cells: tuple[int, int], side: int = 7) -> np.ndarray:
    """(side, side, 2) float32: 3 in the first channel at (row, column), a little everywhere."""
    feature_map = np.full((side, side, 2), 0.1, np.float32)
    for row, column in cells:
        feature_map[row, column, 0] = 3
    return feature_map


def test_the_part_lies_around_what_is_excited() -> None:
    """Four cells of 100 px, two by two: their middle is at 400, 200, and they lie 50 px from it each way."""
    block = excited_at((1, 3), (1, 4), (2, 3), (2, 4), side=10)
    reach = REACH * 50
    assert excited_part(block, 1000, 1000) == pytest.approx((400 - reach, 200 - reach, 400 + reach, 200 + reach), abs=1)


def test_a_ground_that_is_the_same_in_most_places_does_not_count() -> None:
    ground = np.full((10, 10, 2), 1.5, np.float32)
    ground[0] = 0
    block = np.where(excited_at((1, 3), (1, 4), (2, 3), (2, 4), side=10) > 2, 3, ground).astype(np.float32)
    reach = REACH * 50
    assert excited_part(block, 1000, 1000) == pytest.approx((400 - reach, 200 - reach, 400 + reach, 200 + reach), abs=1)


def test_what_has_no_height_is_no_part() -> None:
    assert excited_part(excited_at((1, 3), (1, 4)), 700, 700) == (0, 0, 700, 700)


def test_two_excited_places_are_both_in_it() -> None:
    left, top, right, bottom = excited_part(excited_at((1, 2), (3, 5)), 700, 700)
    assert left < 250 < 550 < right
    assert top < 150 < 350 < bottom
    assert right - left < 700
    assert bottom - top < 700


@pytest.mark.parametrize("turned", [False, True])
def test_places_are_those_of_the_picture_and_not_of_its_letterbox(turned: bool) -> None:
    """700 x 300 px in a square of 700: 200 px of border above and below, where nothing counts."""
    cells = [(3, 1), (4, 2), (0, 6), (6, 6)]  # the last two in the border
    found = excited_part(
        excited_at(*(c[::-1] if turned else c for c in cells)), *((700, 300) if turned else (300, 700))
    )
    left, top, right, bottom = (found[1], found[0], found[3], found[2]) if turned else found
    assert left < 150 < 250 < right < 400
    assert top < 150 < 250 < bottom


@pytest.mark.parametrize("feature_map", [np.zeros((7, 7, 3), np.float32), np.ones((7, 7, 3), np.float32)])
def test_all_of_a_picture_is_the_part_where_nothing_stands_out(feature_map: np.ndarray) -> None:
    assert excited_part(feature_map, 300, 400) == (0, 0, 400, 300)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 9), st.integers(0, 2**31))
def test_a_part_is_inside_and_can_be_looked_at(height: int, width: int, cells: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    feature_map = (rng.standard_normal((cells, cells, 4)) * rng.exponential(2, (cells, cells, 1))).astype(np.float32)
    left, top, right, bottom = excited_part(feature_map, height, width)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_a_part_is_small_that_is_less_than_three_tenths_of_the_picture() -> None:
    assert is_small((0, 0, 149, 200), 200, 500)
    assert not is_small((100, 0, 250, 200), 200, 500)


def test_a_package_on_a_plain_ground_is_found_by_the_released_network(released_model: Model) -> None:
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)
    photo = np.full((480, 640, 3), 128, np.uint8)
    photo[250:410, 420:548] = cv2.resize(blocks, (128, 160), interpolation=cv2.INTER_NEAREST)
    embedder = Embedder.open(released_model, RuntimeOptions(threads=1))
    left, top, right, bottom = embedder.embed_scan(photo).part
    assert left < 452
    assert right > 516
    assert top < 290
    assert bottom > 370
    assert (right - left) * (bottom - top) < 0.5 * 480 * 640
