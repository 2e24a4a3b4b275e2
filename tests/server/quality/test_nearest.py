"""The search for look-alikes against a plain one."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skuscan_server.quality.nearest import Links, NearOptions, Rows, find_near

OPTIONS = NearOptions(minimum_similarity=0.9, per_reference=3)


def rows_of(angles: list[float], answers: list[int]) -> Rows:
    """One SKU for each answer; angles in degrees."""
    unit = np.zeros((len(angles), 256), np.float32)
    unit[:, 0], unit[:, 1] = np.cos(np.deg2rad(angles)), np.sin(np.deg2rad(angles))
    return Rows(unit, np.array(answers, np.intp), np.array(answers, np.intp))


def run(rows: Rows, pending: list[int], known: Links) -> Links:
    best = np.full(len(rows.skus), -1.0, np.float32)
    for (row, _), similarity in known.items():
        best[row] = max(best[row], similarity)
    found: Links = {}
    for links in find_near(rows, np.array(pending, np.intp), best, OPTIONS):
        found |= links
    return found


def nearest(links: Links) -> dict[int, float]:
    best: dict[int, float] = {}
    for (row, _), similarity in links.items():
        best[row] = max(similarity, best.get(row, -1.0))
    return best


def test_every_row_has_its_nearest_however_far_and_more_only_when_alike() -> None:
    links = run(rows_of([0, 10, 20, 100, 103], [0, 1, 2, 3, 4]), [0, 1, 2, 3, 4], {})
    assert set(links) == {(0, 1), (0, 2), (1, 0), (1, 2), (2, 1), (2, 0), (3, 4), (4, 3)}
    lonely = run(rows_of([0, 90], [0, 1]), [0, 1], {})
    assert set(lonely) == {(0, 1), (1, 0)}


def test_rows_of_one_answer_are_no_neighbours() -> None:
    assert run(rows_of([0, 1, 2], [7, 7, 7]), [0, 1, 2], {}) == {}
    rows = rows_of([0, 1, 50], [0, 1, 2])
    grouped = Rows(rows.unit, rows.skus, np.array([5, 5, 2], np.intp))
    assert set(run(grouped, [0, 1, 2], {})) == {(0, 2), (1, 2), (2, 1)}


def test_of_a_product_with_many_pictures_the_nearest_one_counts() -> None:
    links = run(rows_of([0, 5, 6, 7, 15], [0, 1, 1, 1, 2]), [0], {})
    assert {pair for pair in links if pair[0] == 0} == {(0, 1), (0, 4)}


def test_a_row_has_few_neighbours_where_everything_looks_alike() -> None:
    rows = rows_of([0.0] * 50, list(range(50)))
    links = run(rows, list(range(50)), {})
    assert len(links) == 50 * OPTIONS.per_reference


def test_an_empty_catalogue_and_a_single_picture_have_no_neighbours() -> None:
    assert run(rows_of([], []), [], {}) == {}
    assert run(rows_of([0], [0]), [0], {}) == {}


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 360), st.integers(0, 9)), min_size=2, max_size=25),
    st.lists(st.integers(1, 24), max_size=3),
)
def test_in_any_number_of_steps_everybody_knows_its_nearest(
    references: list[tuple[float, int]], cuts: list[int]
) -> None:
    angles, answers = [angle for angle, _ in references], [answer for _, answer in references]
    known: Links = {}
    borders = sorted({0, *(cut for cut in cuts if cut < len(angles)), len(angles)})
    for start, end in pairwise(borders):
        has_links = {row for row, _ in known}
        pending = [row for row in range(end) if row >= start or row not in has_links]
        known |= run(rows_of(angles[:end], answers[:end]), pending, known)
    whole = rows_of(angles, answers)
    similarity = whole.unit @ whole.unit.T
    similarity[whole.answers[:, None] == whole.answers] = -np.inf
    expected = {row: float(best) for row, best in enumerate(similarity.max(axis=1)) if best > -np.inf}
    found = nearest(known)
    assert found.keys() == expected.keys()
    assert np.allclose([found[row] for row in expected], list(expected.values()), atol=1e-5)
