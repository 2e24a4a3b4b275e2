"""Sweeps in the background, and files that are cut while they are mapped."""

import subprocess
import sys
import threading
import time

import pytest

from skuscan.store.sweeper import Sweeper

PATIENCE = 20.0  # s
CUT_WHILE_OPEN = """
import os, sys
from pathlib import Path
from skuscan.store import Store
store = Store.open(Path(sys.argv[1]))
held = store.open_generation()
assert store.is_current(held)
for path in [*store.folder(held.number).rglob("*.npy"), *store.folder(held.number).rglob("*.index")]:
    os.truncate(path, 0)
assert not store.is_current(held)
again = store.open_generation()
print(int(again.base_embeddings.astype(int).sum()), again.degraded)
"""


@pytest.fixture
def live(two, pass_probes):
    """A store whose live generation is whole."""
    return two[0]


@pytest.mark.guarantee("G11")
def test_damage_is_found_and_repaired_in_the_background(live, monkeypatch):
    table = live.folder(1) / "base/reference.table"
    damaged = bytearray(table.read_bytes())
    damaged[10] ^= 1  # in a record: opening does not read it
    table.write_bytes(damaged)
    swept, sweep = threading.Event(), live.sweep
    monkeypatch.setattr(live, "sweep", lambda: (sweep(), swept.set())[0])
    sweeper = Sweeper(live, sweep_seconds=3_600.0, look_seconds=0.001)
    assert swept.wait(PATIENCE)
    sweeper.stop()
    assert [event["event"] for event in live.journal.last(2)] == ["live", "repaired"]
    assert live.open_generation().reference(0).sku == "A"


def test_one_sweep_a_day_is_enough_for_all_processes(live):
    assert live.is_sweep_due(3_600.0)
    live.sweep()
    assert not live.is_sweep_due(3_600.0)
    assert live.is_sweep_due(0.0)


def test_a_clock_that_was_set_back_does_not_put_the_sweep_off(live, monkeypatch):
    live.sweep()
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now - 1_000_000)
    assert live.is_sweep_due(3_600.0)


def test_a_sweep_that_another_process_is_in_the_way_of_comes_later(live, monkeypatch):
    tried, due = threading.Event(), live.is_sweep_due
    monkeypatch.setattr(live, "is_sweep_due", lambda seconds: (due(seconds), tried.set())[0])
    with type(live).open(live.path).lock:
        sweeper = Sweeper(live, 3_600.0, look_seconds=0.001)
        assert tried.wait(PATIENCE)
        assert live.is_sweep_due(3_600.0)
    sweeper.stop()


def test_an_update_need_not_wait_for_a_sweep_and_is_no_damage_to_it(two, publisher, pass_probes, monkeypatch):
    live, second = two
    monkeypatch.setattr("skuscan.store.store.LOCK_PATIENCE", 0.0)
    writer, is_intact = type(live).open(live.path), live.blobs.is_intact

    def update_first(ref):
        monkeypatch.setattr(live.blobs, "is_intact", is_intact)
        for generation in (second, publisher.rebase()):
            writer.activate(generation.deliver(writer), pass_probes)
        writer.collect_garbage()
        return is_intact(ref)

    monkeypatch.setattr(live.blobs, "is_intact", update_first)
    swept = live.sweep()
    assert (swept.lost, swept.done) == ([], [])
    assert live.current() == 3


@pytest.mark.guarantee("G11")
def test_a_mapped_file_that_is_cut_ends_no_process(live):
    whole = int(live.open_generation().base_embeddings.astype(int).sum())
    run = [sys.executable, "-c", CUT_WHILE_OPEN, str(live.path)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(whole)]


@pytest.mark.guarantee("G11")
def test_what_a_sweep_took_out_is_named_until_it_is_back(live):
    blob = max(live.blobs.files(), key=lambda path: path.stat().st_size)
    content = blob.read_bytes()
    blob.write_bytes(bytes(len(content)))
    assert live.lost() == []  # nothing was read yet
    (found,) = live.sweep().lost
    assert live.lost() == [found]
    live.blobs.put(content)
    assert live.lost() == []
