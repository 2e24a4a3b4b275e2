import numpy as np

from skuscan_server.builder.pairs import PairOptions, SimilarPair, find_pairs
from skuscan_server.builder.vectors import Vectors

OPTIONS = PairOptions(minimum_similarity=0.9, per_sku=2)


def vectors(**rows: list[float]) -> Vectors:
    """Named rows in a plane; `A2` is a second reference of SKU `A`. All small pictures are alike: no matter."""
    matrix = np.zeros((len(rows), 2, 256), np.int8)
    matrix[:, 1, 2] = 127
    matrix[:, 0, :2] = [[round(127 * np.cos(angle)), round(127 * np.sin(angle))] for (angle,) in rows.values()]
    return Vectors([name[0] for name in rows], list(rows), matrix)


def names(pairs: list[SimilarPair]) -> list[str]:
    return [pair.sku_a + pair.sku_b for pair in pairs]


def test_skus_whose_nearest_references_are_close_are_a_pair() -> None:
    found = find_pairs(vectors(A=[0.0], A2=[1.5], B=[0.1], C=[1.4], D=[3.0]), set("ABCD"), [], OPTIONS)
    assert names(found) == ["AB", "AC"]
    assert found[0].similarity == round(float(np.cos(0.1)), 3)


def test_two_references_of_one_sku_are_no_pair() -> None:
    assert find_pairs(vectors(A=[0.0], A2=[0.0]), {"A"}, [], OPTIONS) == []


def test_a_sku_has_few_pairs_of_its_own() -> None:
    found = find_pairs(vectors(A=[0.0], B=[0.1], C=[0.2], D=[0.3], E=[0.35]), {"A"}, [], OPTIONS)
    assert names(found) == ["AB", "AC"]


def test_pairs_of_unchanged_skus_stay_as_they_were() -> None:
    kept = [SimilarPair("A", "B", 0.5), SimilarPair("B", "C", 0.5), SimilarPair("A", "Z", 0.5)]
    found = find_pairs(vectors(A=[0.0], B=[3.0], C=[3.05]), {"C"}, kept, OPTIONS)
    assert found == [SimilarPair("A", "B", 0.5), SimilarPair("B", "C", 0.999)]


def test_an_empty_catalogue_has_no_pairs() -> None:
    assert find_pairs(Vectors([], [], np.empty((0, 2, 256), np.int8)), set(), [], OPTIONS) == []
    assert find_pairs(vectors(A=[0.0]), {"A"}, [], OPTIONS) == []
