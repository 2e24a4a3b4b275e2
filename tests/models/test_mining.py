"""Which instances meet in a batch."""

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given

from skuscan.errors import ModelError
from skuscan_models import mining
from skuscan_models.mining import hard_batches, nearest_others


def on_circle(*degrees: float) -> npt.NDArray[np.float32]:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def ungrouped(count: int) -> npt.NDArray[np.int64]:
    return np.full(count, -1)


def test_neighbours_are_the_most_similar_others_nearest_first() -> None:
    found = nearest_others(on_circle(0, 10, 30, 180), ungrouped(4), 2)
    np.testing.assert_array_equal(found, [[1, 2], [0, 2], [1, 0], [2, 1]])


def test_neighbours_are_never_of_the_same_group_while_there_are_others() -> None:
    found = nearest_others(on_circle(0, 10, 30, 180), np.array([7, 7, -1, -1]), 2)
    np.testing.assert_array_equal(found, [[2, 3], [2, 3], [1, 0], [2, 1]])


def test_blocks_find_the_same_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    at_once = nearest_others(rows, ungrouped(50), 5)
    monkeypatch.setattr(mining, "BLOCK", 7)
    np.testing.assert_array_equal(nearest_others(rows, ungrouped(50), 5), at_once)


def test_one_instance_has_no_neighbours() -> None:
    assert nearest_others(on_circle(0), ungrouped(1), 5).shape == (1, 0)


def test_look_alikes_meet() -> None:
    # Ten families of four, far from each other.
    degrees = [36 * family + member for family in range(10) for member in range(4)]
    neighbours = nearest_others(on_circle(*degrees), ungrouped(40), 8)
    for seed in range(5):
        batches = hard_batches(neighbours, batch=8, cluster=4, rng=np.random.default_rng(seed))
        assert [sorted(np.bincount(batch // 4, minlength=10).tolist()) for batch in batches] == [[0] * 8 + [4, 4]] * 5


def test_the_same_seed_gives_the_same_batches_and_another_one_others() -> None:
    neighbours = nearest_others(on_circle(*range(0, 360, 5)), ungrouped(72), 8)
    first, again, other = (np.stack(hard_batches(neighbours, 8, 4, np.random.default_rng(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@given(count=st.integers(1, 60), clusters=st.integers(1, 4), cluster=st.integers(1, 5), seed=st.integers(0, 99))
def test_every_instance_has_at_most_one_place_and_few_are_left_out(
    count: int, clusters: int, cluster: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, 4)).astype(np.float32)
    neighbours = nearest_others(rows / np.linalg.norm(rows, axis=1, keepdims=True), rng.integers(-1, 3, count), 9)
    batches = hard_batches(neighbours, clusters * cluster, cluster, rng)
    placed = np.concatenate([*batches, np.empty(0, np.intp)])
    assert len(set(placed.tolist())) == len(placed)
    assert 0 <= count - len(placed) < clusters * cluster
    assert {len(batch) for batch in batches} <= {clusters * cluster}


@pytest.mark.parametrize("cluster", [0, 3])
def test_a_batch_that_does_not_hold_whole_clusters_is_refused(cluster: int) -> None:
    with pytest.raises(ModelError, match="whole clusters"):
        hard_batches(np.zeros((4, 1), np.intp), 8, cluster, np.random.default_rng(0))
