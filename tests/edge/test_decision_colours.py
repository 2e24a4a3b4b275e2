"""What `compare` makes of inliers and views beside those of rivals."""

from dataclasses import replace

import numpy as np

from skuscan.appearance import CELLS, Appearance, View
from skuscan.decision import Measured, compare, features
from skuscan.verification import Geometry

HERE = np.diag([50.0, 50.0, 1.0])  # cells of 50 px, in the scan's corner
EVERYWHERE = np.ones((CELLS, CELLS), np.bool_)


def label(band: float) -> np.ndarray:
    """(CELLS, CELLS, 3): one brand's print; the level of its lowest two rows tells the flavours apart."""
    colours = np.full((CELLS, CELLS, 3), 120.0, np.float32)
    colours[-2:] = band
    return colours


def candidate(sku: str, band: float, scanned: float, group: str = "", rows: range = range(20)) -> Measured:
    reference = Appearance((0, 0, 400, 400), label(band), EVERYWHERE)
    geometry = Geometry(len(rows) + 2, len(rows), 0.9, 0.4, 1.0, np.eye(3), frozenset(rows))
    return Measured(sku, group, 0.8, geometry, View(reference, HERE, label(scanned), EVERYWHERE))


def test_the_flavour_that_the_scan_shows_wins_though_both_have_as_many_inliers() -> None:
    right, wrong = compare([candidate("cherry", 200, scanned=200), candidate("lemon", 20, scanned=200)])
    assert right.inlier_lead == wrong.inlier_lead
    assert right.contest > 0.5
    assert wrong.contest == -right.contest
    assert right.agreement > 0.95
    assert wrong.agreement < 0.2


def test_a_flavour_that_is_not_for_sale_agrees_with_none() -> None:
    for evidence in compare([candidate("cherry", 200, scanned=110), candidate("lemon", 20, scanned=110)]):
        assert evidence.agreement < 0.3


def test_without_a_rival_all_cells_count_and_there_is_no_contest() -> None:
    alone = compare([candidate("lemon", 20, scanned=200)])[0]
    beside = compare([candidate("cherry", 200, scanned=200), candidate("lemon", 20, scanned=200)])[1]
    assert 0.7 < alone.agreement < 0.8  # two rows of eight disagree
    assert beside.agreement < alone.agreement
    assert alone.contest == 0


def test_two_sizes_of_one_group_do_not_contest_each_other() -> None:
    sizes = [candidate("small", 200, scanned=200, group="g"), candidate("large", 20, scanned=200, group="g")]
    assert [evidence.contest for evidence in compare(sizes)] == [0, 0]


def test_inliers_that_a_rival_shares_are_not_its_own() -> None:
    one, other = compare([candidate("a", 1, 1, rows=range(30)), candidate("b", 1, 1, rows=range(25, 45))])
    assert (one.inliers, one.own_inliers) == (30, 25)
    assert (other.inliers, other.own_inliers) == (20, 15)
    assert compare([candidate("a", 1, 1, rows=range(30))])[0].own_inliers == 30


def test_the_rival_that_does_best_counts() -> None:
    three = [candidate("a", 200, 200), candidate("b", 180, 200), candidate("c", 20, 200)]
    first, second = compare(three)[0], compare(three[::2])[0]
    assert 0 < first.contest < second.contest


def test_what_was_not_looked_at_has_no_colours_and_harms_nobody() -> None:
    unseen = replace(candidate("b", 20, 200), view=None)
    one, other = compare([candidate("a", 200, 200), unseen])
    assert (one.contest, other.contest, other.agreement) == (0, 0, 0)
    assert one.agreement > 0.95


def test_colours_are_weighed_only_when_verified() -> None:
    verified = features(compare([candidate("a", 200, 200)])[0])
    assert {"agreement", "contest", "log_own_inliers"} <= set(verified)
    unverified = features(compare([Measured("a", "", 0.8)])[0])
    assert set(unverified) == {"unverified", "unverified_similarity", "unverified_margin"}
