"""Power cuts: every state that one may leave during what a device does, as the weakest file system would leave it."""

import math
import random
import shutil
from itertools import count
from pathlib import Path

import pytest

from tools.fault_bench.crash_states import Recording, RecordingDisk, states, write_tree
from tools.fault_bench.device import (
    ACTIVATION,
    OFFLINE,
    Operation,
    World,
    complaints,
    finish,
)

SEED = 14
FEWEST = 3  # states of an operation, however small the share
SAMPLED = 0.1  # of the many states of a disk that keeps nothing, the bad ones of which come late
FINISHED = 10  # of so many states one is finished, too: the work is done again and cleaned up


@pytest.fixture(scope="module")
def world(memory: Path) -> World:
    return World.make(memory)


@pytest.fixture(scope="module")
def record(world: World, memory: Path):
    """What an operation does to the disk."""

    def record(operation: Operation) -> Recording:
        store = operation.prepare(world, memory / "recorded")
        disk = RecordingDisk(store)
        operation.run(world, store, disk)
        shutil.rmtree(store)
        return disk.recording()

    return record


@pytest.fixture(scope="module")
def examine(world: World, memory: Path):
    """Opens a share of an operation's states until so many are bad: how many were opened, and what was wrong."""
    numbers = count()

    def examine(
        operation: Operation, recording: Recording, share: float, finishing: bool = True, enough: float = math.inf
    ) -> tuple[int, list[str]]:
        rng, seen, bad = random.Random(SEED), 0, []
        for cut, tree in states(recording):
            if seen >= FEWEST and rng.random() > share:
                continue
            store, seen = write_tree(tree, memory / f"state-{next(numbers)}"), seen + 1
            wrong = complaints(world, store, operation)
            if finishing and not wrong and seen % FINISHED == 0:
                wrong = finish(world, store, operation)
            if wrong:
                bad.append(f"{operation.name}, cut before event {cut}: {'; '.join(wrong)}")
            shutil.rmtree(store)
            if len(bad) >= enough:
                break
        return seen, bad

    return examine


@pytest.mark.guarantee("G1")
@pytest.mark.guarantee("G16")
@pytest.mark.parametrize("operation", OFFLINE, ids=lambda operation: operation.name)
def test_every_state_after_a_power_cut_holds_one_complete_generation(operation, record, examine, faults):
    seen, bad = examine(operation, record(operation), faults.share)
    faults.record("G1", f"power cuts: {operation.name}", states=seen, bad=len(bad))
    assert bad == []
    assert seen > 0


@pytest.mark.guarantee("G1")
@pytest.mark.parametrize(("files", "folders", "share"), [(True, True, SAMPLED), (False, True, 1.0)])
def test_without_fsync_the_bench_finds_states_that_are_bad(record, examine, faults, files, folders, share):
    recording = record(ACTIVATION).without_fsync(files, folders)
    seen, bad = examine(ACTIVATION, recording, share, finishing=False, enough=1)
    lacking = " and ".join(name for name, left_out in (("files", files), ("folders", folders)) if left_out)
    faults.record("G1", f"power cuts, {lacking} never fsynced (one must be bad)", states=seen, bad=len(bad))
    assert bad
