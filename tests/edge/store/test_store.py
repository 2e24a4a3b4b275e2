"""What a store promises its writer and its readers: opening, reading while others write, the status."""

import stat
import threading
import time

import pytest

from skuscan.errors import StoreError
from skuscan.store import Store


def test_a_store_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(StoreError, match="skuscan enrol"):
        Store.open(tmp_path)


def test_a_store_without_a_generation_says_how_to_get_one(store):
    assert store.current() is None
    with pytest.raises(StoreError, match="skuscan sync"):
        store.open_generation()


def test_a_device_is_enrolled_once(store, identity):
    with pytest.raises(StoreError, match="enrolled once"):
        Store.create(store.path, identity)


def test_the_token_is_read_by_its_owner_only_and_never_shown(store, identity):
    assert stat.S_IMODE((store.path / "identity.json").stat().st_mode) == 0o600
    assert Store.open(store.path).identity == identity
    assert identity.device_token not in repr(identity)


def test_current_sees_an_activation_by_another_process(two, pass_probes):
    store, second = two
    reader = Store.open(store.path)
    held = reader.open_generation()
    assert reader.current() == 1
    assert reader.is_current(held)
    store.activate(second.deliver(store), pass_probes)
    assert reader.current() == 2
    assert not reader.is_current(held)


def test_current_costs_little_between_two_scans(two):
    store, _ = two
    store.current()
    started = time.perf_counter()
    for _ in range(1000):
        store.current()
    assert time.perf_counter() - started < 0.5  # s; 0.01 when nothing else runs


@pytest.mark.guarantee("G2")
def test_a_reader_keeps_the_generation_it_opened_while_others_come_and_go(two, publisher, pass_probes, records):
    store, _ = two
    held = store.open_generation()
    for _ in range(3):
        store.activate(publisher.rebase().deliver(store), pass_probes)
        store.collect_garbage()
    assert not held.folder.exists()
    assert held.product("G") is None
    assert held.reference(2).SerializeToString() == records.reference("C")
    assert held.base_embeddings.sum() == held.base_embeddings.copy().sum()


@pytest.mark.guarantee("G2")
def test_readers_never_see_a_mixture_across_activations(two, publisher, pass_probes):
    store, _ = two
    wrong, stop = [], threading.Event()

    def read():
        reader = Store.open(store.path)
        while not stop.is_set():
            generation = reader.open_generation()
            prices = {generation.product(sku).attributes["price"].money.minor_units for sku in "ABC"}
            if len(prices) != 1 or generation.state_digest() != generation.manifest.state_digest:
                wrong.append(generation.number)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for price in range(8):
            before = dict(publisher.state)
            publisher.add("A", "B", "C", price=price)
            update = publisher.rebase() if price % 3 == 0 else publisher.change(before)
            store.activate(update.deliver(store), pass_probes)
            store.collect_garbage()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong


def test_the_status_says_what_answers_and_what_it_takes(two):
    store, _ = two
    status = store.status()
    assert (status.generation, status.floor, status.products, status.references, status.pairs) == (1, 1, 6, 6, 1)
    assert status.age_s > 0
    assert status.degraded == ""
    assert status.bytes_on_disk["blobs"] > 0
    assert status.bytes_on_disk["generations"] > 0
    assert status.index == "published"


def test_the_status_of_an_empty_store_is_no_error(store):
    status = store.status()
    assert status.generation is None
    assert status.journal == []
