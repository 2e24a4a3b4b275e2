"""Drawn packaging: the same everywhere, all different, on white."""

import hashlib
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from skuscan.errors import ConfigError
from skuscan_models.synthetic import packaging
from skuscan_models.synthetic.packaging import VARIANTS_OF_A_FAMILY, design, draw_front, draw_side
from skuscan_models.synthetic.themes import THEMES, Kind

SAMPLE = range(16)  # families; with this seed they show all six kinds of packages

# Reference digests of another process, on a processor that lacks what this one has.
PRINT_DIGESTS = """
import hashlib
from skuscan_models.synthetic.packaging import design, draw_front, draw_side
for family in range(16):
    product = design(5, family, family % 12)
    print(hashlib.sha256(draw_front(product).tobytes() + draw_side(product).tobytes()).hexdigest())
"""


def digests() -> list[str]:
    products = [design(5, family, family % 12) for family in SAMPLE]
    return [hashlib.sha256(draw_front(p).tobytes() + draw_side(p).tobytes()).hexdigest() for p in products]


def test_the_sample_shows_every_kind_of_package():
    assert {design(5, family, 0).kind for family in SAMPLE} == set(Kind)


def test_another_process_on_an_older_processor_draws_the_same_bytes():
    older = {"OPENCV_CPU_DISABLE": "AVX2,AVX,FP16,SSE4.2,SSE4.1", "OPENCV_IPP": "disabled"}
    done = subprocess.run(
        [sys.executable, "-c", PRINT_DIGESTS], capture_output=True, text=True, check=True, env=os.environ | older
    )
    assert done.stdout.split() == digests()


def test_drawing_other_products_in_between_changes_nothing():
    first = draw_front(design(5, 3, 1))
    for family in range(4):
        draw_front(design(5, family, 7))
    assert np.array_equal(draw_front(design(5, 3, 1)), first)


def test_thousands_of_products_are_all_different():
    products = [design(1, family, variant) for family in range(100) for variant in range(VARIANTS_OF_A_FAMILY)]
    assert len({p.sku for p in products}) == len(products)
    assert len({p.gtin for p in products}) == len(products)
    assert len({(p.brand, p.name, p.family) for p in products}) == len(products)
    assert all(len(p.sku) <= 128 and p.sku.isprintable() for p in products)


def test_pictures_of_near_duplicates_differ_visibly():
    for family in range(12):
        fronts = [draw_front(design(2, family, variant)) for variant in range(3)]
        for first, second in itertools.combinations(fronts, 2):
            assert first.shape == second.shape
            changed = np.abs(first.astype(int) - second).max(axis=2) > 24
            assert changed.mean() > 0.01  # of the picture, its white background included


def test_variants_of_a_family_share_their_design():
    """Most of what a family's variants show is in the same place; two families have little in common."""

    def edges(picture: np.ndarray) -> np.ndarray:
        grey = picture.astype(int).mean(axis=2)
        return np.abs(np.diff(grey, axis=1))[50:300, 50:200] > 12

    def common(first: np.ndarray, second: np.ndarray) -> float:
        return float((first & second).sum() / max(1, (first | second).sum()))

    first = [edges(draw_front(design(2, family, 0))) for family in range(10)]
    second = [edges(draw_front(design(2, family, 1))) for family in range(10)]
    same = [common(*pair) for pair in zip(first, second, strict=True)]
    other = [common(*pair) for pair in itertools.pairwise(first)]
    assert np.median(same) > 3 * np.median(other)


def test_fronts_stand_on_pure_white_with_a_margin():
    for family in SAMPLE:
        front = draw_front(design(2, family, 0))
        border = np.concatenate([front[:8].reshape(-1, 3), front[-8:].reshape(-1, 3)])
        border = np.concatenate([border, front[:, :8].reshape(-1, 3), front[:, -8:].reshape(-1, 3)])
        assert (border == 255).all()
        assert front.dtype == np.uint8
        assert front.ndim == 3
        assert 450 <= max(front.shape[:2]) <= 900  # px
        assert (front.min(axis=2) < 240).mean() > 0.2


def test_gtins_have_the_check_digit_that_the_standard_gives():
    # GS1's own way: from the right, weights 3 and 1.
    for family, variant in itertools.product((0, 7, 123_456, 9_999_999), (0, 9, 47)):
        digits = [int(digit) for digit in design(1, family, variant).gtin]
        assert len(digits) == 13
        assert sum(d * (3 if place % 2 else 1) for place, d in enumerate(reversed(digits))) % 10 == 0
        assert digits[0] == 2  # never a real product's


def test_sizes_of_one_flavour_are_one_group_and_flavours_are_not():
    products = [design(1, 11, variant) for variant in range(VARIANTS_OF_A_FAMILY)]
    groups = {p.group for p in products}
    assert len(groups) == packaging.FLAVOURS_OF_A_FAMILY
    for group in groups:
        members = [p for p in products if p.group == group]
        assert len({p.flavour for p in members}) == 1
        assert len({p.size_text for p in members}) == len(members) == packaging.SIZES_OF_A_FLAVOUR


def test_every_theme_has_enough_flavours_and_sizes_for_a_family():
    for theme in THEMES:
        words = {flavour.words for flavour in theme.flavours}
        assert len(words) >= packaging.FLAVOURS_OF_A_FAMILY
        assert len(set(theme.sizes)) == packaging.SIZES_OF_A_FLAVOUR


def test_ranges_of_families_do_not_meet():
    ranges = (
        packaging.TRAIN_FAMILIES,
        packaging.VALIDATION_FAMILIES,
        packaging.DEMO_FAMILIES,
        packaging.FOREIGN_FAMILIES,
    )
    for first, second in itertools.combinations(ranges, 2):
        assert first.stop <= second.start or second.stop <= first.start
    assert max(r.stop for r in ranges) - 1 <= packaging.MAX_FAMILY


@pytest.mark.parametrize(
    ("family", "variant"), [(-1, 0), (packaging.MAX_FAMILY + 1, 0), (0, -1), (0, VARIANTS_OF_A_FAMILY)]
)
def test_numbers_outside_their_range_are_refused(family, variant):
    with pytest.raises(ConfigError, match="number is from 0 to"):
        design(1, family, variant)
