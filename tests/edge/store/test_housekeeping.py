"""What cleaning removes and keeps, and what a sweep finds."""

import pytest

from skuscan.errors import StoreError
from skuscan.store import Store


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
def test_cleaning_removes_nothing_while_a_generation_that_must_stay_is_damaged(two, publisher, pass_probes, flip):
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
    written, partial = (store.path / name for name in ("blobs/.tmp-abc", "tmp/download.part"))
    for path in (build / "x", written, partial):
        path.write_bytes(b"half")
    store.collect_garbage()
    assert not build.exists()
    assert list(store.path.rglob(".tmp-*")) == []
    assert partial.exists(), "a download goes on where it was"


@pytest.mark.guarantee("G11")
def test_a_sweep_removes_damaged_blobs_and_names_them(two, pass_probes, flip):
    store, second = two
    store.activate(second.deliver(store), pass_probes)
    assert store.sweep().lost == []
    segment = store.open_generation().manifest.base_segments[0].file
    flip(store.blobs.path(segment))
    assert store.sweep().lost == [segment]
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
    assert store.sweep().lost == []
    assert not reader.is_current(held)
    repaired = reader.open_generation()
    assert reader.is_current(repaired)
    assert [repaired.reference(row).sku for row in range(6)] == list("ABCDEF")
