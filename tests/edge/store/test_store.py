"""What a store promises its writer and its readers."""

import os
import stat
import subprocess
import sys
import threading
import time

import pytest

from skuscan.bundle.manifest import serialize_manifest
from skuscan.errors import BundleError, FeatureSpaceError, PictureError, StoreError
from skuscan.model import file_ref
from skuscan.store import Store
from skuscan.store.durable import Disk


@pytest.fixture
def two(store, publisher, pass_probes):
    """A store whose generation 1 is live, and generation 2 to come."""
    publisher.annoy = b"an index"
    store.activate(publisher.rebase().deliver(store), pass_probes)
    before = dict(publisher.state)
    publisher.add("G", price=7)
    return store, publisher.change(before)


def wrong_answer(generation):
    raise PictureError("a probe answers its SKU", "another one")


def flip(path, at=-1):
    data = bytearray(path.read_bytes())
    data[at] ^= 0x40
    path.unlink()  # other names of the file stay as they are
    path.write_bytes(data)


# Making and opening


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


# What may go live


@pytest.mark.guarantee("G6")
def test_a_generation_that_fails_its_probes_is_rejected_and_not_tried_again(two, pass_probes):
    store, second = two
    with pytest.raises(StoreError, match="answers its probes"):
        store.activate(second.deliver(store), wrong_answer)
    assert store.current() == 1
    assert "another one" in store.rejected()[2]
    assert not store.folder(2).exists()
    with pytest.raises(StoreError, match="not tried again"):
        second.deliver(store)
    assert [event["event"] for event in store.status().journal] == ["live", "rejected"]


@pytest.mark.guarantee("G6")
def test_a_later_generation_is_tried_after_a_rejected_one(two, publisher, pass_probes):
    store, second = two
    with pytest.raises(StoreError):
        store.activate(second.deliver(store), wrong_answer)
    store.activate(publisher.publish().deliver(store), pass_probes)
    assert store.current() == 3
    assert store.rejected() == {}


@pytest.mark.guarantee("G6")
def test_two_crashes_on_trial_reject_a_generation(two, pass_probes):
    store, second = two
    number = second.deliver(store)
    script = (
        "import os, sys; from skuscan.store import Store; s = Store.open(sys.argv[1]); "
        f"s.activate({number}, lambda g: os.abort())"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", script, str(store.path)], stderr=subprocess.DEVNULL, check=False)
        assert store.current() == 1
    with pytest.raises(StoreError, match="not tried again"):
        store.activate(number, pass_probes)
    assert store.open_generation().number == 1


def test_one_crash_on_trial_is_forgiven(two, pass_probes):
    store, second = two
    (store.path / "trial" / "2.1234.aa").touch()
    store.activate(second.deliver(store), pass_probes)
    assert store.current() == 2
    assert not list((store.path / "trial").iterdir())


def test_damage_found_on_trial_does_not_reject_the_generation(two, pass_probes):
    store, second = two

    def meets_a_bad_sector(generation):
        raise StoreError("the disk works", "a bad sector")

    with pytest.raises(StoreError, match="bad sector"):
        store.activate(second.deliver(store), meets_a_bad_sector)
    assert store.rejected() == {}
    store.activate(second.deliver(store), pass_probes)
    assert store.current() == 2


@pytest.mark.guarantee("G3")
def test_a_generation_below_the_floor_is_refused(two, pass_probes):
    store, second = two
    first = store.open_generation()
    manifest, model = store.blobs.read(first.contents.name.manifest), store.blobs.read(first.contents.name.model)
    store.activate(second.deliver(store), pass_probes)
    with pytest.raises(StoreError, match="never goes back"):
        store.prepare(manifest, model)
    with pytest.raises(StoreError, match="never goes back"):
        store.activate(1, pass_probes)
    assert store.current() == 2


@pytest.mark.guarantee("G5")
def test_another_state_than_the_signed_one_does_not_go_live(two):
    store, second = two
    second.manifest.state_digest = bytes(32)
    with pytest.raises(BundleError, match="equals what was published"):
        second.deliver(store)
    assert store.current() == 1
    assert 2 in store.rejected()


@pytest.mark.guarantee("G5")
def test_other_counts_than_the_signed_ones_do_not_go_live(two):
    store, second = two
    second.manifest.products -= 1
    with pytest.raises(BundleError, match="products"):
        second.deliver(store)


@pytest.mark.guarantee("G25")
def test_references_of_another_feature_space_are_refused_by_name(two):
    store, second = two
    second.manifest.feature_space = bytes(32)
    with pytest.raises(FeatureSpaceError, match="one feature space"):
        second.deliver(store)
    assert store.current() == 1


@pytest.mark.guarantee("G4")
def test_another_assortment_is_refused(two):
    store, second = two
    second.manifest.assortment = "other"
    with pytest.raises(BundleError, match="follows default"):
        second.deliver(store)
    assert store.rejected() == {}


@pytest.mark.guarantee("G4")
def test_another_model_than_the_signed_one_is_refused(two):
    store, second = two
    for blob in second.blobs:
        store.blobs.put(blob)
    with pytest.raises(BundleError, match="model"):
        store.prepare(serialize_manifest(second.manifest), second.model + b"\x00")


def test_a_missing_blob_is_said_and_does_not_reject(two):
    store, second = two
    store.blobs.remove(second.manifest.base_segments[0].file)
    second.blobs = [blob for blob in second.blobs if file_ref(blob) != second.manifest.base_segments[0].file]
    with pytest.raises(StoreError, match="1 are missing"):
        second.deliver(store)
    assert store.rejected() == {}


def test_preparing_twice_builds_once(two, pass_probes):
    store, second = two
    second.deliver(store)
    made = (store.folder(2) / "contents.json").stat().st_ino
    second.deliver(store)
    assert (store.folder(2) / "contents.json").stat().st_ino == made


def test_one_process_writes_at_a_time(two):
    store, second = two
    with Store.open(store.path).lock, pytest.raises(StoreError, match="one process writes"):
        second.deliver(store)
    assert second.deliver(store) == 2


# The index


def test_the_published_index_is_used_where_it_was_fetched(two):
    store, _ = two
    generation = store.open_generation()
    assert generation.annoy_file.read_bytes() == b"an index"
    assert generation.index_origin == "published"


def test_an_index_built_here_is_used_and_kept_while_the_base_stays(two, pass_probes, publisher):
    store, second = two

    def build(rows, path):
        path.write_bytes(rows.tobytes())

    for blob in second.blobs:
        store.blobs.put(blob)
    store.activate(store.prepare(serialize_manifest(second.manifest), second.model, build), pass_probes)
    generation = store.open_generation()
    assert generation.annoy_file.read_bytes() == generation.base_embeddings.tobytes()
    assert generation.index_origin == "local"
    third = publisher.publish()
    third.deliver(store)

    def build_again(rows, path):
        raise AssertionError("the base did not change")

    store.disk.remove_folder(store.folder(3))
    store.activate(store.prepare(serialize_manifest(third.manifest), third.model, build_again), pass_probes)
    assert store.folder(3).joinpath("base/index.annoy").samefile(store.folder(2) / "base/index.annoy")


def test_a_damaged_index_is_not_used_and_is_named(two):
    store, _ = two
    flip(store.open_generation().annoy_file)
    generation = store.open_generation()
    assert generation.annoy_file is None
    assert "searching exactly" in generation.degraded


# Damage


DERIVED = ["contents.json", "base/reference.table", "base/product.table", "base/embeddings.npy", "delta/pair.table"]


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
def test_beyond_repair_the_previous_generation_answers_and_says_so(two, pass_probes):
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
def test_a_fallback_leaves_the_floor_where_it_is(two, pass_probes):
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


def test_a_generation_that_was_only_prepared_never_answers(two):
    store, second = two
    second.deliver(store)
    (store.path / "CURRENT").unlink()
    assert Store.open(store.path).open_generation().number == 1


def test_a_reader_without_the_lock_answers_from_the_previous_generation(two, pass_probes):
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
def test_a_store_that_cannot_be_written_answers_even_when_damaged(two, pass_probes):
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


def test_a_fallback_gives_way_to_an_activation_that_came_first(two, publisher, pass_probes, monkeypatch):
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


# Readers and writers


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


# Cleaning


@pytest.mark.guarantee("G16")
def test_cleaning_keeps_the_live_and_the_previous_generation_and_their_files(two, publisher, pass_probes, records):
    store, _ = two
    display = b"a picture"
    publisher.displays = [display]
    publisher.add("A", price=1)
    publisher.put(1, records.product("A", display=store.blobs.put(display)))
    for _ in range(3):
        store.activate(publisher.rebase().deliver(store), pass_probes)
    stray = store.blobs.put(b"nobody wants it")
    wanted = store.blobs.put(b"the next update wants it")
    freed = store.collect_garbage(keep=[wanted])
    live = store.current()
    assert freed > 0
    assert sorted(int(p.name) for p in (store.path / "generations").iterdir()) == [live - 1, live]
    for number in (live - 1, live):
        for ref in store.open_generation(number).files():
            assert store.blobs.is_intact(ref)
    assert store.blobs.has(wanted)
    assert not store.blobs.has(stray)
    assert store.open_generation().display_file("A").read_bytes() == display


@pytest.mark.guarantee("G16")
def test_cleaning_removes_nothing_while_a_generation_that_must_stay_is_damaged(two, publisher, pass_probes):
    store, second = two
    store.activate(second.deliver(store), pass_probes)
    stray = store.blobs.put(b"perhaps somebody wants it")
    flip(store.folder(1) / "base" / "product.table")
    assert store.collect_garbage() == 0
    assert store.blobs.has(stray)


def test_cleaning_removes_what_killed_processes_left(two):
    store, _ = two
    (store.path / "trial" / ".tmp-abc").touch()
    build = store.path / "tmp" / "build-9-abc"
    build.mkdir()
    old, young, partial = (store.path / name for name in ("blobs/.tmp-old", "blobs/.tmp-young", "tmp/download.part"))
    for path in (build / "x", old, young, partial):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    store.collect_garbage()
    assert not build.exists()
    assert not old.exists()
    assert young.exists()
    assert partial.exists()


# The sweep and the status


@pytest.mark.guarantee("G11")
def test_a_sweep_removes_damaged_blobs_and_names_them(two, pass_probes):
    store, second = two
    store.activate(second.deliver(store), pass_probes)
    assert store.sweep() == []
    segment = store.open_generation().manifest.base_segments[0].file
    flip(store.blobs.path(segment))
    assert store.sweep() == [segment]
    assert not store.blobs.has(segment)
    assert store.open_generation().number == 2


@pytest.mark.guarantee("G11")
def test_a_sweep_repairs_records_and_readers_notice(two):
    store, _ = two
    reader = Store.open(store.path)
    held = reader.open_generation()
    table = store.folder(1) / "base" / "reference.table"
    data = bytearray(table.read_bytes())
    data[100] ^= 1
    table.write_bytes(data)  # in place: the reader's own file
    with pytest.raises(StoreError, match="damaged"):
        [held.reference(row) for row in range(6)]
    assert reader.is_current(held)
    assert store.sweep() == []
    assert not reader.is_current(held)
    repaired = reader.open_generation()
    assert reader.is_current(repaired)
    assert [repaired.reference(row).sku for row in range(6)] == list("ABCDEF")


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
