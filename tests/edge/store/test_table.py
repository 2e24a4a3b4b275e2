"""The record table: the device form of every record kind."""

import hashlib
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skuscan.bundle.segment import SegmentContent
from skuscan.errors import BundleError, StoreError
from skuscan.proto.catalogue_pb2 import RECORD_KIND_PAIR, RECORD_KIND_PRODUCT
from skuscan.store.durable import Disk
from skuscan.store.table import RecordTable, delta_entries, table_blocks

KIND = RECORD_KIND_PRODUCT
DISK = Disk()

tables = st.dictionaries(st.text(min_size=1, max_size=6), st.none() | st.binary(max_size=40), max_size=30)
one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)


@pytest.fixture
def path(work):
    return work / "a.table"


@one_folder
@given(tables, st.text(min_size=1, max_size=6))
def test_what_was_written_is_found_in_key_order(path, entries, absent):
    ref = DISK.write_file(path, table_blocks(KIND, entries.items()))
    assert ref.sha256 == hashlib.sha256(path.read_bytes()).digest()
    table = RecordTable.open(path, KIND)
    live = sorted(key for key, record in entries.items() if record is not None)
    assert list(table.keys()) == live
    assert len(table) == len(live)
    assert table.tombstones == {key for key, record in entries.items() if record is None}
    for row, key in enumerate(live):
        assert table.find(key) == row
        assert table.record(row) == entries[key]
        assert table.sha256(row) == hashlib.sha256(entries[key]).digest()
    assert absent in live or table.find(absent) is None


@one_folder
@given(st.integers(0, 10_000), st.integers(1, 255), st.sampled_from(["flip", "cut", "zero", "grow"]))
def test_a_damaged_file_gives_a_store_error_or_right_records(path, at, flip, harm):
    entries = {f"sku {i}": bytes([i]) * 20 for i in range(9)} | {"gone": None}
    DISK.write_file(path, table_blocks(KIND, entries.items()))
    data = bytearray(path.read_bytes())
    at %= len(data)
    if harm == "flip":
        data[at] ^= flip
    elif harm == "cut":
        del data[at:]
    elif harm == "zero":
        data[at:] = bytes(len(data) - at)
    else:
        data += bytes([flip]) * flip
    path.write_bytes(data)
    try:
        table = RecordTable.open(path, KIND)
        read = {key: table.record(row) for row, key in enumerate(table.keys())}
    except StoreError:
        return
    assert harm == "zero"  # over bytes that were zero
    assert read == {key: record for key, record in entries.items() if record is not None}


@pytest.mark.guarantee("G11")
def test_a_file_cut_while_it_is_open_gives_an_error_and_no_signal(path):
    DISK.write_file(path, table_blocks(KIND, {"a": b"x" * 100_000, "b": b"y"}.items()))
    table = RecordTable.open(path, KIND)
    with path.open("r+b") as file:
        file.truncate(10)
    with pytest.raises(StoreError, match="damaged"):
        table.record(0)


def test_a_table_of_another_kind_is_refused(path):
    DISK.write_file(path, table_blocks(KIND, [("a", b"x")]))
    with pytest.raises(StoreError, match="kind 1"):
        RecordTable.open(path, RECORD_KIND_PAIR)


def test_a_key_twice_is_refused_and_leaves_no_file(path):
    with pytest.raises(BundleError, match="comes once"):
        DISK.write_file(path, table_blocks(KIND, [("a", b"x"), ("a", b"y")]))
    assert not list(path.parent.iterdir())


def test_a_row_outside_the_table_is_an_index_error(path):
    DISK.write_file(path, table_blocks(KIND, [("a", b"x")]))
    table = RecordTable.open(path, KIND)
    for row in (-1, 1):
        with pytest.raises(IndexError):
            table.record(row)


def test_many_threads_read_one_table(path):
    entries = {f"{i:04}": bytes([i % 251]) * 500 for i in range(500)}
    DISK.write_file(path, table_blocks(KIND, entries.items()))
    table = RecordTable.open(path, KIND)
    wrong = []

    def read():
        wrong.extend(key for row, key in enumerate(table.keys()) if table.record(row) != entries[key])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


layers = st.lists(st.dictionaries(st.sampled_from("abcdef"), st.none() | st.binary(max_size=3), min_size=1), max_size=6)


@pytest.mark.guarantee("G7")
@given(layers)
def test_of_several_deltas_the_later_one_wins(deltas):
    expected = {}
    for delta in deltas:
        expected.update(delta)
    segments = [
        SegmentContent(
            KIND,
            sorted((key, record) for key, record in delta.items() if record is not None),
            sorted(key for key, record in delta.items() if record is None),
        )
        for delta in deltas
    ]
    entries = list(delta_entries(reversed(segments)))
    assert dict(entries) == expected
    assert len(entries) == len(expected)
