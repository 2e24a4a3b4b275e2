"""Proposals from embeddings and keypoints that say different things."""

import numpy as np
import pytest

from skuscan.catalogue import MemoryCatalogue
from skuscan.embedding import quantize, unit
from skuscan.keypoint_index import index_in_memory
from skuscan.keypoints import Keypoints, pack, unpack
from skuscan.model import Model
from skuscan.proto.catalogue_pb2 import Reference
from skuscan.shortlist import Proposal, Shortlister
from tools.random_features import random_keypoints

PRODUCTS = 60


def keypoints(seed: int) -> Keypoints:
    return unpack(pack(random_keypoints(np.random.default_rng(seed), 50, 400, 400)))


def direction(number: int) -> np.ndarray:
    """Products are the less alike the further apart their numbers are."""
    turn = number / PRODUCTS
    vector = np.zeros(256, np.float32)
    vector[:2] = np.cos(turn), np.sin(turn)
    return unit(vector)


def reference(number: int, sku: str = "", printed: int | None = None) -> Reference:
    return Reference(
        sku=sku or f"sku-{number:03}",
        reference_id=f"{number:016x}",
        embedding=quantize(direction(number)).tobytes() * 2,
        keypoints=pack(keypoints(number if printed is None else printed)),
    )


@pytest.fixture(scope="module")
def catalogue(released_model: Model) -> MemoryCatalogue:
    return MemoryCatalogue(released_model, [reference(number) for number in range(PRODUCTS)])


def shortlist(catalogue: MemoryCatalogue, like: int, printed: int, hidden: tuple[str, ...] = ()) -> list[Proposal]:
    """Eight proposals for a scan that looks like one product and has another one's print."""
    shortlister = Shortlister(catalogue)
    nearest = shortlister.nearest(direction(like), 8, hidden)
    return shortlister.with_votes(nearest, direction(like), keypoints(printed), hidden)


def test_the_print_brings_back_what_the_embedding_lost(catalogue: MemoryCatalogue) -> None:
    found = shortlist(catalogue, like=0, printed=50)
    assert [p.sku for p in found][:6] == [f"sku-{n:03}" for n in range(6)]
    brought = next(p for p in found if p.sku == "sku-050")
    assert brought.rows == (50,)
    assert brought.similarity == pytest.approx(float(np.cos(50 / PRODUCTS)), abs=0.01)
    assert found == sorted(found, key=lambda p: -p.similarity)
    assert len(found) == 8


def test_a_print_that_the_embedding_knows_too_changes_nothing(catalogue: MemoryCatalogue) -> None:
    found = shortlist(catalogue, like=0, printed=0)
    assert (found[0].sku, found[0].rows) == ("sku-000", (0,))
    assert found[0].similarity == pytest.approx(1, abs=0.01)
    assert "sku-000" in {p.sku for p in found}
    assert len(found) == 8


def test_a_scan_without_print_keeps_the_embeddings_list(catalogue: MemoryCatalogue) -> None:
    shortlister = Shortlister(catalogue)
    nearest = shortlister.nearest(direction(0), 8)
    assert shortlister.with_votes(nearest, direction(0), Keypoints.empty()) == nearest


def test_hidden_skus_are_proposed_by_neither(catalogue: MemoryCatalogue) -> None:
    found = shortlist(catalogue, like=0, printed=50, hidden=("sku-000", "sku-050"))
    assert {"sku-000", "sku-050"} & {p.sku for p in found} == set()
    assert len(found) == 8


def test_a_closer_look_judges_each_by_the_more_similar_of_whole_and_part(catalogue: MemoryCatalogue) -> None:
    """The scan looks like product 0, its part like product 4."""
    shortlister = Shortlister(catalogue)
    known = shortlister.nearest(direction(0), 3)
    found = shortlister.closer(known, direction(0), direction(4), 4, hidden=("sku-005",), part_counts=True)
    numbers = [int(p.sku.removeprefix("sku-")) for p in found]
    assert numbers[:3] == [0, 1, 2]
    assert numbers[3:] == [4, 3, 6]
    expected = [np.cos(min(number, abs(number - 4)) / PRODUCTS) for number in numbers]
    assert [p.similarity for p in found] == pytest.approx(expected, abs=1e-4)
    assert [p.rows for p in found] == [(number,) for number in numbers]


def test_a_part_of_what_fills_the_scan_only_proposes(catalogue: MemoryCatalogue) -> None:
    shortlister = Shortlister(catalogue)
    known = shortlister.nearest(direction(0), 3)
    found = shortlister.closer(known, direction(0), direction(4), 4, hidden=("sku-005",), part_counts=False)
    assert found[:3] == known
    numbers = [int(p.sku.removeprefix("sku-")) for p in found]
    assert numbers[3:] == [3, 4, 6]
    assert [p.similarity for p in found] == pytest.approx([np.cos(n / PRODUCTS) for n in numbers], abs=5e-4)


def test_what_a_part_finds_may_be_more_like_the_whole(catalogue: MemoryCatalogue) -> None:
    shortlister = Shortlister(catalogue)
    (known,) = shortlister.nearest(direction(0), 1)
    found = {p.sku: p.similarity for p in shortlister.closer([known], direction(0), direction(4), 7, part_counts=True)}
    assert found["sku-001"] == pytest.approx(np.cos(1 / PRODUCTS), abs=1e-4)


def test_of_several_references_the_nearest_and_the_most_voted_are_verified(released_model: Model) -> None:
    others = [reference(number) for number in range(2, PRODUCTS)]
    both = [reference(0, "two-sides"), reference(1, "two-sides", printed=77)]
    catalogue = MemoryCatalogue(released_model, [*others, *both])
    found = next(p for p in shortlist(catalogue, like=0, printed=77) if p.sku == "two-sides")
    assert [catalogue.reference(row).reference_id[-1] for row in found.rows] == ["0", "1"]


def test_withdrawn_references_get_no_votes(released_model: Model) -> None:
    catalogue = MemoryCatalogue(released_model, [reference(number) for number in range(PRODUCTS)])
    catalogue.withdrawn[50] = True
    assert "sku-050" not in {p.sku for p in shortlist(catalogue, like=0, printed=50)}


def test_references_of_a_delta_get_votes(released_model: Model) -> None:
    catalogue = MemoryCatalogue(released_model, [reference(number) for number in range(PRODUCTS)])
    base, delta = catalogue.base_embeddings[:40], catalogue.base_embeddings[40:]
    catalogue.base_embeddings, catalogue.delta_embeddings = base, delta
    catalogue.withdrawn = np.zeros(40, np.bool_)
    layers = [map(keypoints, range(40)), map(keypoints, range(40, PRODUCTS))]
    catalogue.keypoint_indexes = index_in_memory(layers[0], 40), index_in_memory(layers[1], 40)
    assert next(p for p in shortlist(catalogue, like=0, printed=50) if p.sku == "sku-050").rows == (50,)


def test_an_empty_catalogue_proposes_nothing(released_model: Model) -> None:
    assert shortlist(MemoryCatalogue(released_model, []), like=0, printed=0) == []
