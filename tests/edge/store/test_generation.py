"""What a generation answers."""

import numpy as np
import pytest

from skuscan.catalogue import Catalogue
from skuscan.proto.catalogue_pb2 import RECORD_KIND_PRODUCT, RECORD_KIND_REFERENCE, Reference


def test_a_base_is_answered_in_key_order(store, publisher, pass_probes, records):
    store.activate(publisher.rebase().deliver(store), pass_probes)
    generation = store.open_generation()
    catalogue: Catalogue = generation
    assert [catalogue.sku_of_row(i) for i in range(6)] == list("ABCDEF")
    assert catalogue.base_embeddings.shape == (6, 2, 256)
    assert catalogue.delta_embeddings.shape == (0, 2, 256)
    for row in range(6):
        assert catalogue.reference(row) == Reference.FromString(records.reference("ABCDEF"[row]))
        assert catalogue.reference(row).embedding == catalogue.base_embeddings[row].tobytes()
    assert catalogue.product("C").name == "Product C"
    assert catalogue.product("Z") is None
    assert catalogue.pair("B", "A") == catalogue.pair("A", "B")
    assert catalogue.pair("A", "B").sku_b == "B"
    assert catalogue.pair("A", "C") is None
    assert catalogue.annoy_file is None
    assert not catalogue.withdrawn.any()


def test_a_delta_replaces_adds_and_withdraws(store, publisher, pass_probes):
    store.activate(publisher.rebase().deliver(store), pass_probes)
    before = dict(publisher.state)
    publisher.add("G", "B", price=999)
    gone = [key for key in publisher.state if key[1].startswith("C")]
    for key in gone:
        del publisher.state[key]
    store.activate(publisher.change(before).deliver(store), pass_probes)
    generation = store.open_generation()
    assert generation.product("B").attributes["price"].money.minor_units == 999
    assert generation.product("C") is None
    assert generation.product("G") is not None
    assert generation.withdrawn.tolist() == [False, False, True, False, False, False]  # B's reference is unchanged
    assert [generation.sku_of_row(row) for row in (5, 6)] == ["F", "G"]
    assert generation.delta_embeddings.shape == (1, 2, 256)
    assert [len(index) for index in generation.keypoint_indexes] == [6, 1]
    assert len({index.bits for index in generation.keypoint_indexes}) == 1  # or their votes would not compare
    assert (generation.count(RECORD_KIND_PRODUCT), generation.count(RECORD_KIND_REFERENCE)) == (6, 6)


@pytest.mark.guarantee("G7")
def test_the_state_by_deltas_equals_the_state_of_a_full_sync(store, publisher, pass_probes):
    store.activate(publisher.rebase().deliver(store), pass_probes)
    for step in range(4):
        before = dict(publisher.state)
        publisher.add("ABCDEFGH"[step], "ABCDEFGH"[step + 4], price=step, seed=step % 2)
        if step == 2:
            publisher.state = {key: r for key, r in publisher.state.items() if not key[1].startswith("A")}
        store.activate(publisher.change(before).deliver(store), pass_probes)
    by_deltas = store.open_generation()
    store.activate(publisher.rebase().deliver(store), pass_probes)
    full = store.open_generation()
    assert by_deltas.state_digest() == full.state_digest() == full.manifest.state_digest
    live = ~by_deltas.withdrawn
    skus = [by_deltas.sku_of_row(i) for i in np.flatnonzero(live)]
    base = len(by_deltas.base_embeddings)
    skus += [by_deltas.sku_of_row(base + i) for i in range(len(by_deltas.delta_embeddings))]
    assert sorted(skus) == [full.sku_of_row(i) for i in range(len(full.base_embeddings))]


def test_an_unchanged_base_is_linked_not_made_again(store, publisher, pass_probes):
    store.activate(publisher.rebase().deliver(store), pass_probes)
    before = dict(publisher.state)
    publisher.add("B", price=5)
    store.activate(publisher.change(before).deliver(store), pass_probes)
    for name in ("reference.table", "product.table", "pair.table", "embeddings.npy", "keypoints.index"):
        first, second = (store.folder(n) / "base" / name for n in (1, 2))
        assert first.samefile(second)
