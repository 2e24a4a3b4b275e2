"""The journal never costs the work it tells of."""

import errno

import pytest

from skuscan.store import journal as journal_module
from skuscan.store.durable import Disk
from skuscan.store.journal import Journal
from tools.fault_bench.disks import FailingDisk


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def test_events_are_read_in_order(path):
    journal = Journal(path, Disk())
    for number in range(5):
        journal.note("live", number, "why\nnot")
    assert [event["generation"] for event in journal.last(3)] == [2, 3, 4]
    assert journal.last(1)[0]["reason"] == "why\nnot"


def test_spoiled_lines_are_left_out(path):
    journal = Journal(path, Disk())
    journal.note("live", 1)
    with path.open("ab") as file:
        file.write(b'{"event": "torn\n\xff\xfe\x00\n[1]\n{"live": 1}\n{"event": "to')
    journal.note("live", 2)
    assert [event["generation"] for event in journal.last(10)] == [1, 2]


def test_the_journal_is_bounded_and_keeps_the_newest(path, monkeypatch):
    monkeypatch.setattr(journal_module, "MAX_BYTES", 2000)
    journal = Journal(path, Disk())
    for number in range(100):
        journal.note("live", number)
    assert path.stat().st_size < 2200
    assert journal.last(1)[0]["generation"] == 99


@pytest.mark.guarantee("G12")
def test_a_full_disk_costs_the_line_and_nothing_else(path, caplog):
    Journal(path, FailingDisk(1, errno.ENOSPC, for_good=True)).note("live", 1)
    assert "missed live of generation 1" in caplog.text


def test_a_journal_that_is_not_there_is_empty(path):
    assert Journal(path, Disk()).last(5) == []
