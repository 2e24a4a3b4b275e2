"""Search: exact, by Annoy and layered give one answer; withdrawn rows and repeated SKUs cost none of it.

Vectors are (N, 256); rows, of two vectors each, are (N, 2, 256).
"""

import builtins
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skuscan import index
from skuscan.annoy_file import build_annoy
from skuscan.embedding import dequantize, unit
from skuscan.errors import ConfigError, StoreError
from skuscan.index import (
    ANNOY_NODE_BYTES,
    AnnoyIndex,
    ExactIndex,
    Query,
    largest,
)
from skuscan.layered_index import LayeredIndex, Neighbour
from skuscan.whitening import Whitening

LEAST_RECALL = 0.99  # of Annoy's first 20 rows among 5,000
TREES = 50
COSINE_TOLERANCE = 1e-6  # float64 against whole numbers in float32
GRID_TOLERANCE = 2e-4  # the query as it was against the query on its grid


def clustered(count: int, seed: int = 0, per_cluster: int = 10) -> np.ndarray:
    """(count, 256) int8 in clusters, as near-duplicate products lie."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(-(-count // per_cluster), 256)), per_cluster, axis=0)[:count]
    vectors = centres + 0.6 * rng.normal(size=centres.shape)
    whole: np.ndarray = np.rint(vectors * (127 / np.abs(vectors).max(axis=1, keepdims=True))).astype(np.int8)
    return whole


def rows_of(vectors: np.ndarray) -> np.ndarray:
    """(N, 2, 256): vectors as those of large pictures, each with one of a small picture that is like none of them."""
    return np.stack([vectors, clustered(len(vectors), seed=10_000, per_cluster=1)], axis=1)


def near(vectors: np.ndarray, number: int, seed: int = 0) -> np.ndarray:
    """A unit vector not far from one of the vectors."""
    noise = np.random.default_rng(seed).normal(size=256) / 16
    return unit((dequantize(vectors[number]) + 0.5 * noise).astype(np.float32))


@dataclass
class RowCatalogue:
    """As much of a catalogue as the search looks at."""

    base_embeddings: np.ndarray
    skus: Sequence[str]
    delta_embeddings: np.ndarray = field(default_factory=lambda: np.empty((0, 2, 256), np.int8))
    withdrawn_rows: Sequence[int] = ()
    annoy_file: Path | None = None

    @property
    def withdrawn(self) -> np.ndarray:
        mask = np.zeros(len(self.base_embeddings), np.bool_)
        mask[list(self.withdrawn_rows)] = True
        return mask

    def sku_of_row(self, row: int) -> str:
        return self.skus[row]


def open_index(catalogue: RowCatalogue) -> LayeredIndex:
    return LayeredIndex.open(catalogue)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def vectors_5000() -> np.ndarray:
    return clustered(5000)


@pytest.fixture(scope="module")
def annoy_5000(vectors_5000: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("annoy")
    path = tmp_path_factory.mktemp("annoy") / "base.annoy"
    build_annoy(vectors_5000, path, TREES, seed=1)
    return path


# --- exact


def test_similarity_is_the_cosine_of_the_int8_row() -> None:
    rows = clustered(300)
    vector = near(rows, 17)
    query = Query.of(vector)
    found, similarities = ExactIndex(rows).nearest(query, 300)
    cosines = dequantize(rows).astype(np.float64) @ query.steps / query.length
    np.testing.assert_allclose(similarities, cosines[found], atol=COSINE_TOLERANCE)
    np.testing.assert_allclose(similarities, (dequantize(rows) @ vector)[found], atol=GRID_TOLERANCE)
    assert found.tolist() == sorted(range(300), key=lambda row: -cosines[row])


@pytest.mark.guarantee("G23")
@pytest.mark.parametrize("block", [1, 7, 256, 100_000])
def test_the_block_size_changes_no_bit(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, vector = clustered(500), near(clustered(500), 3)
    expected = ExactIndex(rows).nearest(Query.of(vector), 50)
    monkeypatch.setattr(index, "BLOCK_VECTORS", block)
    got = ExactIndex(rows).nearest(Query.of(vector), 50)
    assert [part.tobytes() for part in got] == [part.tobytes() for part in expected]


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None, max_examples=50)
def test_a_query_keeps_every_dot_product_exact(seed: int, extreme: bool) -> None:
    rng = np.random.default_rng(seed)
    vector = unit((rng.choice([-1.0, 1.0], 256) if extreme else rng.standard_cauchy(256)).astype(np.float32))
    query = Query.of(vector)
    row = (127 * np.sign(query.steps)).astype(np.int8)  # the row with the largest sum there is
    assert float(np.abs(row * query.steps.astype(np.float64)).sum()) < 2**24
    assert vector @ query.steps / query.length > 1 - 1e-6


def test_rows_are_read_from_a_memory_map_and_never_copied_whole(tmp_path: Path) -> None:
    rows = clustered(1000)
    (tmp_path / "rows").write_bytes(rows.tobytes())
    mapped = np.memmap(tmp_path / "rows", np.int8, "r", shape=rows.shape)
    vector = Query.of(near(rows, 5))
    np.testing.assert_array_equal(ExactIndex(mapped).nearest(vector, 9)[0], ExactIndex(rows).nearest(vector, 9)[0])


def test_equal_rows_come_in_their_order() -> None:
    rows = np.repeat(clustered(1), 20, axis=0)
    found, similarities = ExactIndex(rows).nearest(Query.of(near(rows, 0)), 7)
    assert found.tolist() == list(range(7))
    assert len(set(similarities.tolist())) == 1


def test_a_row_and_a_query_of_zeros_have_similarity_zero() -> None:
    rows = clustered(3)
    rows[1] = 0
    assert ExactIndex(rows).nearest(Query.of(near(rows, 0)), 3)[1].tolist().count(0.0) == 1
    assert ExactIndex(rows).nearest(Query.of(np.zeros(256, np.float32)), 3)[1].tolist() == [0.0, 0.0, 0.0]


# --- Annoy


def test_annoy_finds_nearly_what_the_exact_search_finds_and_scores_it_alike(
    vectors_5000: np.ndarray, annoy_5000: Path
) -> None:
    forest, exact, found = AnnoyIndex(annoy_5000, vectors_5000), ExactIndex(vectors_5000), 0
    for seed in range(50):
        query = Query.of(near(vectors_5000, seed * 97, seed))
        truth = dict(zip(*(part.tolist() for part in exact.nearest(query, 20)), strict=True))
        got = dict(zip(*(part.tolist() for part in forest.nearest(query, 20)), strict=True))
        found += len(truth.keys() & got.keys())
        assert all(got[row] == truth[row] for row in truth.keys() & got.keys())
        assert list(got.values()) == sorted(got.values(), reverse=True)
    assert found / (50 * 20) >= LEAST_RECALL


def test_of_a_row_that_annoy_finds_both_vectors_are_scored(
    vectors_5000: np.ndarray, annoy_5000: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forest = AnnoyIndex(annoy_5000, vectors_5000)
    monkeypatch.setattr(forest, "_forest", SimpleNamespace(get_nns_by_vector=lambda *_, **__: [41, 7]))
    for number in (40, 41):
        assert forest.nearest(Query.of(near(vectors_5000, number)), 1)[0].tolist() == [number]


def test_an_annoy_file_is_the_same_bytes_when_built_again(tmp_path: Path) -> None:
    pytest.importorskip("annoy")
    rows = clustered(500)
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        build_annoy(rows, tmp_path / name, trees=10, seed=seed)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_an_annoy_file_of_other_rows_or_of_a_wrong_size_is_refused(
    vectors_5000: np.ndarray, annoy_5000: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="5000 items for 4998 vectors"):
        AnnoyIndex(annoy_5000, vectors_5000[:-2])
    whole = annoy_5000.read_bytes()
    for size in (0, 1, ANNOY_NODE_BYTES - 1, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:size])
        with pytest.raises(StoreError, match=f"whole nodes of 1036 bytes; received .*cut: {size} bytes"):
            AnnoyIndex(tmp_path / "cut", vectors_5000)
    with pytest.raises(StoreError, match="missing: 0 bytes"):
        AnnoyIndex(tmp_path / "missing", vectors_5000)


def test_without_annoy_the_exact_search_takes_over_and_says_so(
    vectors_5000: np.ndarray, annoy_5000: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = vectors_5000.reshape(-1, 2, 256)
    catalogue = RowCatalogue(rows, [f"{i:05}" for i in range(2500)], annoy_file=annoy_5000)
    assert open_index(catalogue).name == "annoy"
    importer = builtins.__import__

    def without_annoy(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "annoy":
            raise ImportError(name)
        return importer(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_annoy)
    layered = open_index(catalogue)
    assert layered.name == "exact"
    assert layered.search(near(vectors_5000, 42), 1)[0].sku == "00021"
    with pytest.raises(ConfigError, match=r"pip install skuscan\[annoy\]"):
        build_annoy(vectors_5000, tmp_path / "base.annoy", TREES, seed=1)


# --- layered


def brute_force(catalogue: RowCatalogue, vector: np.ndarray, skus: int) -> list[Neighbour]:
    """What the search must find, said as plainly as possible."""
    rows = np.concatenate([catalogue.base_embeddings, catalogue.delta_embeddings])
    found, similarities = ExactIndex(rows.reshape(-1, 256)).nearest(Query.of(vector), max(1, 2 * len(rows)))
    best: dict[str, Neighbour] = {}
    for row, similarity in zip((found // 2).tolist(), similarities.tolist(), strict=True):
        if row not in catalogue.withdrawn_rows:
            best.setdefault(catalogue.skus[row], Neighbour(catalogue.skus[row], row, similarity))
    nearest = sorted(best.values(), key=lambda n: (-n.similarity, n.sku))[:skus]
    return sorted((of_all_references(catalogue, vector, n) for n in nearest), key=lambda n: (-n.similarity, n.sku))


def of_all_references(catalogue: RowCatalogue, vector: np.ndarray, nearest: Neighbour) -> Neighbour:
    """With several references: the mean of the best cosine and, whitened, the large pictures' common direction's."""
    rows = np.concatenate([catalogue.base_embeddings, catalogue.delta_embeddings])
    live: dict[str, list[int]] = {}
    for row, sku in enumerate(catalogue.skus):
        if row not in catalogue.withdrawn_rows:
            live.setdefault(sku, []).append(row)
    if len(live[nearest.sku]) == 1:
        return nearest
    whitening = Whitening.of(rows[of_sku, 0] for of_sku in live.values() if len(of_sku) > 1)
    common = whitening.cosine(Query.of(vector).steps, rows[live[nearest.sku], 0])
    return replace(nearest, similarity=(nearest.similarity + common) / 2)


def assert_alike(found: list[Neighbour], expected: list[Neighbour]) -> None:
    """The same SKUs by the same rows; similarities that differ by rounding may trade places."""
    assert found == sorted(found, key=lambda n: (-n.similarity, n.sku))
    assert {n.sku: n.row for n in found} == {n.sku: n.row for n in expected}
    similarities = {n.sku: n.similarity for n in expected}
    for neighbour in found:
        assert neighbour.similarity == pytest.approx(similarities[neighbour.sku], abs=COSINE_TOLERANCE)


@st.composite
def catalogues(draw: st.DrawFn) -> RowCatalogue:
    """Few SKUs with many references or many with few, equal rows, and any rows withdrawn; layers in key order."""
    base, delta = draw(st.integers(0, 150)), draw(st.integers(0, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    vectors = clustered(2 * (base + delta), int(rng.integers(100)), per_cluster=draw(st.sampled_from([1, 5, 200])))
    rows = vectors.reshape(-1, 2, 256)[:, :: draw(st.sampled_from([1, -1]))]
    if draw(st.booleans()):
        rows = rows[np.arange(base + delta) // 4 * 4]
    names = [f"{name:03}" for name in rng.integers(0, draw(st.sampled_from([1, 3, 40, 500])), base + delta)]
    withdrawn = np.flatnonzero(rng.random(base) < draw(st.sampled_from([0, 0.1, 0.5, 1])))
    return RowCatalogue(rows[:base], sorted(names[:base]) + sorted(names[base:]), rows[base:], withdrawn.tolist())


@settings(max_examples=100, deadline=None)
@given(catalogues(), st.integers(1, 20), st.integers(0, 2**31))
def test_layers_give_what_one_exact_search_over_the_merged_state_gives(
    tmp_path_factory: pytest.TempPathFactory, catalogue: RowCatalogue, skus: int, seed: int
) -> None:
    everything = np.concatenate([catalogue.base_embeddings, catalogue.delta_embeddings])
    vectors = everything.reshape(-1, 256)
    vector = near(vectors, seed % len(vectors), seed) if len(vectors) else np.full(256, 1 / 16, np.float32)
    expected = brute_force(catalogue, vector, skus)
    exactly = open_index(catalogue).search(vector, skus)
    assert_alike(exactly, expected)
    if len(catalogue.base_embeddings) and index_by_annoy_is_possible():
        catalogue.annoy_file = tmp_path_factory.mktemp("layers") / "base.annoy"
        build_annoy(catalogue.base_embeddings, catalogue.annoy_file, trees=5, seed=3)
        layered = open_index(catalogue)
        assert layered.name == "annoy"
        assert layered.search(vector, skus) == exactly


def index_by_annoy_is_possible() -> bool:
    try:
        import annoy  # noqa: F401
    except ImportError:
        return False
    return True


def test_several_references_of_a_product_count_together() -> None:
    """One side that is a little nearer loses to a product all of whose references are near."""
    rows = rows_of(clustered(3))
    rows[1] = rows[0]
    vector = near(rows[:, 0], 0)
    skus = ["both", "both", "other"]
    got = {n.sku: n for n in open_index(RowCatalogue(rows, skus)).search(vector, 2)}
    alone = {n.sku: n for n in open_index(RowCatalogue(rows[1:], skus[1:])).search(vector, 2)}
    assert got["both"].similarity == pytest.approx(alone["both"].similarity)  # the same twice proves nothing more
    rows[1] = -rows[0]
    against = {n.sku: n for n in open_index(RowCatalogue(rows, skus)).search(vector, 2)}
    assert against["both"].similarity < got["both"].similarity
    assert against["both"].row == 0
    assert against["other"] == got["other"]


def test_a_product_is_judged_by_its_live_references_in_both_layers() -> None:
    rows = rows_of(clustered(4))
    catalogue = RowCatalogue(rows[:3], ["a", "b", "b", "b"], rows[3:], withdrawn_rows=[1])
    vector = near(rows[:, 0], 1)
    index = open_index(catalogue)
    plain = open_index(RowCatalogue(rows[2:], ["b", "b"]))
    expected = plain.search(vector, 1)[0].similarity
    for row in (2, 3):
        assert index.judge(vector, row).similarity == expected
        assert index.judge(vector, row).sku == "b"


def test_a_reference_is_as_like_a_scan_as_its_liker_vector(vectors_5000: np.ndarray, annoy_5000: Path) -> None:
    """The large picture's or the small one's, whichever of them the index proposed."""
    rows, skus = vectors_5000.reshape(-1, 2, 256), [f"{i:05}" for i in range(2500)]
    for catalogue in (RowCatalogue(rows, skus), RowCatalogue(rows, skus, annoy_file=annoy_5000)):
        layered = open_index(catalogue)
        for number in (40, 41):
            vector = near(vectors_5000, number)
            best = max(float(dequantize(one) @ vector) for one in rows[20])
            for found in (layered.search(vector, 1)[0], layered.judge(vector, 20)):
                assert (found.sku, found.row) == ("00020", 20)
                assert found.similarity == pytest.approx(best, abs=GRID_TOLERANCE)


def test_withdrawn_rows_leave_the_list_full(vectors_5000: np.ndarray, annoy_5000: Path) -> None:
    skus = [f"{i:05}" for i in range(2500)]
    catalogue = RowCatalogue(vectors_5000.reshape(-1, 2, 256), skus, annoy_file=annoy_5000)
    vector = near(vectors_5000, 100)
    nearest = [n.row for n in open_index(catalogue).search(vector, 200)]
    catalogue.withdrawn_rows = nearest
    after = open_index(catalogue).search(vector, 20)
    assert len(after) == 20
    assert not {n.row for n in after} & set(nearest)


def test_many_references_of_one_product_leave_the_list_full() -> None:
    vectors = clustered(1000, per_cluster=500)
    skus = ["one"] * 500 + [f"other-{i}" for i in range(500)]
    got = open_index(RowCatalogue(rows_of(vectors), skus)).search(near(vectors, 3), 20)
    assert got[0].sku == "one"
    assert len({n.sku for n in got}) == 20


def test_an_empty_catalogue_gives_an_empty_list() -> None:
    empty = np.empty((0, 2, 256), np.int8)
    layered = open_index(RowCatalogue(empty, []))
    assert layered.search(np.full(256, 1 / 16, np.float32), 10) == []
    assert layered.name == "exact"


def test_a_delta_alone_is_searched() -> None:
    vectors = clustered(30)
    catalogue = RowCatalogue(np.empty((0, 2, 256), np.int8), [f"{i:02}" for i in range(30)], rows_of(vectors))
    assert open_index(catalogue).search(near(vectors, 12), 3)[0] == SimpleNeighbour("12", 12)


@given(st.lists(st.integers(0, 5), max_size=20), st.integers(0, 25))
def test_the_largest_are_those_of_a_stable_sort_whatever_their_number(values: list[int], count: int) -> None:
    expected = sorted(range(len(values)), key=lambda position: -values[position])[:count]
    assert index.largest(np.array(values, np.float32), count).tolist() == expected


class SimpleNeighbour(SimpleNamespace):
    """Equal to a neighbour of this SKU and row, whatever its similarity."""

    def __init__(self, sku: str, row: int) -> None:
        super().__init__(sku=sku, row=row)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Neighbour) and (other.sku, other.row) == (self.sku, self.row)


def test_none_of_the_largest_are_none() -> None:
    assert largest(np.array([1, 2], np.float32), 0).tolist() == []
