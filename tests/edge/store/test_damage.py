"""Damaged files: what is made again, what answers instead, and who is told."""

import pytest

from skuscan.errors import StoreError
from skuscan.store import Store
from skuscan.store.durable import Disk

DERIVED = [
    "contents.json",
    "base/reference.table",
    "base/product.table",
    "base/embeddings.npy",
    "base/keypoints.index",
    "delta/keypoints.index",
    "delta/pair.table",
]


@pytest.mark.guarantee("G11")
@pytest.mark.parametrize("name", DERIVED)
@pytest.mark.parametrize("harm", ["flipped", "cut", "zeroed", "gone"])
def test_a_damaged_live_generation_is_made_again_from_its_blobs(name, harm, two, pass_probes):
    store, second = two
    store.activate(second.deliver(store), pass_probes)
    path = store.folder(2) / name
    data = path.read_bytes()
    path.unlink()
    if harm == "flipped":
        path.write_bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
    elif harm == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif harm == "zeroed":
        path.write_bytes(bytes(len(data)))
    generation = Store.open(store.path).open_generation()
    assert generation.number == 2
    assert generation.degraded == ""
    assert generation.state_digest() == second.manifest.state_digest
    assert store.status().journal[-1]["event"] == "repaired"


@pytest.mark.guarantee("G11")
def test_beyond_repair_the_previous_generation_answers_and_says_so(two, pass_probes, flip):
    store, second = two
    store.activate(second.deliver(store), pass_probes)
    delta = store.open_generation().manifest.delta_segments[0].file
    flip(store.folder(2) / "delta" / "product.table")
    flip(store.blobs.path(delta))
    reader = Store.open(store.path)
    generation = reader.open_generation()
    assert generation.number == 1
    assert "generation 2 is damaged" in generation.degraded
    assert reader.current() == 1
    status = Store.open(store.path).status()
    assert (status.generation, status.floor) == (1, 2)
    assert "generation 2 is damaged" in status.degraded
    store.blobs.remove(delta)
    store.activate(second.deliver(store), pass_probes)  # the same generation, fetched again
    assert store.open_generation().degraded == ""
    assert store.current() == 2


@pytest.mark.guarantee("G3")
def test_a_fallback_leaves_the_floor_where_it_is(two, pass_probes, flip):
    store, second = two
    first = store.open_generation().contents.name
    old = store.blobs.read(first.manifest), store.blobs.read(first.model)
    store.activate(second.deliver(store), pass_probes)
    flip(store.folder(2) / "delta" / "product.table")
    store.blobs.remove(store.read_current().live.manifest)
    assert store.open_generation().number == 1
    assert store.floor() == 2
    store.disk.remove_folder(store.folder(1))
    with pytest.raises(StoreError, match="never goes back"):
        store.prepare(*old)


@pytest.mark.guarantee("G11")
@pytest.mark.parametrize("content", [b"", b"{}", b'{"live": 1}\nabc\n', bytes(300)])
def test_a_damaged_current_is_found_and_the_confirmed_generation_answers(content, two, pass_probes):
    store, second = two
    store.activate(second.deliver(store), pass_probes)
    (store.path / "CURRENT").write_bytes(content)
    generation = Store.open(store.path).open_generation()
    assert generation.number == 2
    assert generation.degraded == "CURRENT is damaged"


def test_a_lost_current_is_no_reason_to_open_the_same_generation_at_each_scan(two):
    store, _ = two
    (store.path / "CURRENT").unlink()
    reader = Store.open(store.path)
    answering = reader.open_generation()
    assert reader.is_current(answering)
    assert reader.current() == 1
    assert not reader.is_current(reader.open_generation(1)), "one that was asked for by its number is not followed"


def test_a_generation_that_was_only_prepared_never_answers(two):
    store, second = two
    second.deliver(store)
    (store.path / "CURRENT").unlink()
    assert Store.open(store.path).open_generation().number == 1


def test_a_reader_without_the_lock_answers_from_the_previous_generation(two, pass_probes, flip):
    store, second = two
    store.activate(second.deliver(store), pass_probes)
    flip(store.folder(2) / "delta" / "product.table")
    reader = Store.open(store.path)
    with store.lock:
        answering = reader.open_generation()
        assert answering.number == 1
        assert reader.current() == 1, "or it would be opened again at each scan"
        assert reader.is_current(answering)
        assert Store.open(store.path).read_current().live.number == 2


class ReadOnlyDisk(Disk):
    def _step(self, call, path, source=None):
        raise OSError(30, "Read-only file system")


@pytest.mark.guarantee("G12")
def test_a_store_that_cannot_be_written_answers_even_when_damaged(two, pass_probes, flip):
    store, second = two
    store.activate(second.deliver(store), pass_probes)
    reader = Store.open(store.path, ReadOnlyDisk())
    assert reader.open_generation().number == 2
    flip(store.folder(2) / "delta" / "product.table")
    assert Store.open(store.path, ReadOnlyDisk()).open_generation().number == 1
    assert reader.status().degraded


@pytest.mark.guarantee("G11")
def test_a_damaged_record_does_not_spread_to_the_next_generation(two, pass_probes):
    store, second = two
    table = store.folder(1) / "base" / "reference.table"
    data = bytearray(table.read_bytes())
    data[100] ^= 1
    table.write_bytes(data)
    store.activate(second.deliver(store), pass_probes)
    generation = store.open_generation()
    assert [generation.reference(row).sku for row in range(7)] == list("ABCDEFG")
    assert (store.folder(2) / "base" / "product.table").samefile(store.folder(1) / "base" / "product.table")


def test_a_fallback_gives_way_to_an_activation_that_came_first(two, publisher, pass_probes, monkeypatch, flip):
    store, second = two
    store.activate(second.deliver(store), pass_probes)
    flip(store.folder(2) / "delta" / "product.table")
    flip(store.blobs.path(store.open_generation(1).manifest.base_segments[0].file))
    store.blobs.remove(store.read_current().live.manifest)
    reader = Store.open(store.path)
    open_another = reader._open_another

    def late(*arguments):
        monkeypatch.undo()
        store.activate(publisher.rebase().deliver(store), pass_probes)
        return open_another(*arguments)

    monkeypatch.setattr(reader, "_open_another", late)
    assert reader.open_generation().number == 3
    assert store.read_current().live.number == 3
    assert store.read_current().degraded == ""


def test_a_reader_that_activations_overtook_takes_no_lock(two, publisher, pass_probes, monkeypatch):
    """Or an update would find the store locked, though nothing is damaged."""
    store, second = two
    reader = Store.open(store.path)
    read_current = reader.read_current

    def then_activate():
        seen = read_current()
        monkeypatch.setattr(reader, "read_current", read_current)
        for generation in (second, publisher.rebase()):
            store.activate(generation.deliver(store), pass_probes)
        store.collect_garbage()
        return seen

    def refuse(seconds):
        raise AssertionError("a reader takes the lock")

    monkeypatch.setattr(reader, "read_current", then_activate)
    monkeypatch.setattr(reader.lock, "_acquire", refuse)
    assert reader.open_generation().number == 3


def exchange(one, other):
    mine, others = one.read_bytes(), other.read_bytes()
    one.unlink()
    other.unlink()
    one.write_bytes(others)
    other.write_bytes(mine)


@pytest.mark.guarantee("G11")
@pytest.mark.parametrize("name", ["contents.json", "delta/product.table", "delta/reference.table"])
def test_a_whole_file_of_another_generation_in_its_place_is_found(name, two, pass_probes):
    store, second = two
    store.activate(second.deliver(store), pass_probes)
    exchange(store.folder(1) / name, store.folder(2) / name)
    generation = Store.open(store.path).open_generation()
    assert generation.number == 2
    assert generation.degraded == ""
    assert generation.state_digest() == second.manifest.state_digest
    assert generation.product("G") is not None


@pytest.mark.guarantee("G11")
def test_another_small_file_in_place_of_current_is_found(two, pass_probes):
    store, second = two
    store.activate(second.deliver(store), pass_probes)
    exchange(store.path / "CURRENT", store.path / "floor")
    reader = Store.open(store.path)
    assert reader.open_generation().number == 2
    assert reader.floor() == 2


@pytest.mark.guarantee("G11")
def test_the_previous_generation_is_made_again_when_it_shares_the_damage(two, pass_probes):
    store, second = two
    store.activate(second.deliver(store), pass_probes)
    table = store.folder(2) / "base" / "product.table"
    assert table.samefile(store.folder(1) / "base" / "product.table")
    table.write_bytes(table.read_bytes()[:-1])
    store.blobs.remove(store.read_current().live.manifest)
    generation = Store.open(store.path).open_generation()
    assert generation.number == 1
    assert "generation 2 is damaged" in generation.degraded
    assert generation.state_digest() == generation.manifest.state_digest


@pytest.mark.guarantee("G11")
@pytest.mark.parametrize("name", ["identity.json", "identity.copy.json"])
def test_a_damaged_identity_is_read_from_its_other_file_and_made_again(name, two, flip, identity):
    store, _ = two
    flip(store.path / name, at=10)
    reader = Store.open(store.path)
    assert reader.identity == identity
    reader.sweep()
    assert (store.path / name).stat().st_mode & 0o777 == 0o600
    assert [path.read_bytes().count(b"d1") for path in store.path.glob("identity*")] == [1, 1]


@pytest.mark.guarantee("G11")
def test_the_two_files_of_an_identity_may_stand_for_each_other(two, identity):
    store, _ = two
    first, copy = store.path / "identity.json", store.path / "identity.copy.json"
    first.rename(store.path / "kept")
    copy.rename(first)
    (store.path / "kept").rename(copy)
    assert Store.open(store.path).identity == identity


@pytest.mark.guarantee("G3")
def test_a_lost_floor_is_known_by_what_is_live(two, pass_probes):
    store, second = two
    store.activate(second.deliver(store), pass_probes)
    (store.path / "floor").unlink()
    assert Store.open(store.path).floor() == 2
