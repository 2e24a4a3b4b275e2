"""A disk that is full, fails or cannot be written, at every system call of what a device does."""

import contextlib
import errno
import os
import shutil
import subprocess
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from skuscan.errors import SkuscanError
from skuscan.store import Store
from skuscan.store.durable import DISK
from tools.fault_bench.device import (
    BASE,
    DELTA,
    FIRST,
    METADATA,
    OFFLINE,
    REPAIR,
    Operation,
    World,
    complaints,
    copy_tree,
    finish,
    leftovers,
    take,
)
from tools.fault_bench.disks import CountingDisk, FailingDisk

ERRORS = {"full": errno.ENOSPC, "failing": errno.EIO, "read-only": errno.EROFS}
# A repair that finds no room lets the generation before answer.
WORK = [replace(work, allowed=(3, 4), degraded=None) if work is REPAIR else work for work in OFFLINE]
ROOMY_KB = 65_536  # kB, for any of the stores
ROOM_KB = range(16, 640, 16)  # kB that a real file system has beside the store, from too little to enough


@pytest.fixture(scope="module")
def world(memory: Path) -> World:
    return World.make(memory)


@pytest.fixture(scope="module")
def places(memory: Path):
    numbers = count()
    return lambda: memory / f"full-{next(numbers)}"


@pytest.mark.guarantee("G12")
@pytest.mark.parametrize("operation", WORK, ids=lambda operation: operation.name)
def test_a_disk_that_fails_at_any_call_costs_no_answer_and_leaves_nothing(operation: Operation, world, places, faults):
    counted, store = CountingDisk(), operation.prepare(world, places())
    operation.run(world, store, counted)
    shutil.rmtree(store)
    injected, bad = 0, []
    points = [(nth, name) for nth in range(1, counted.calls + 1) for name in ERRORS]
    for nth, name in points[:: max(1, round(1 / faults.share))]:
        store = operation.prepare(world, places())
        there = leftovers(store)
        disk = FailingDisk(nth, ERRORS[name], for_good=name == "read-only")
        with contextlib.suppress(SkuscanError):
            operation.run(world, store, disk)
        injected += disk.failed > 0
        wrong = complaints(world, store, operation)
        if name != "read-only" and disk.failed and disk.at != "rmtree":  # else the next clean-up takes it, see `finish`
            wrong += [f"left: {path.name}" for path in leftovers(store) if path not in there]
        if operation.name == REPAIR.name:
            take(world, store, REPAIR.before)  # where a repair found no room, the next sync makes it
        if wrong := wrong or finish(world, store, operation):
            bad.append(f"{name} at call {nth}: {'; '.join(wrong)}")
        shutil.rmtree(store)
    faults.record("G12", f"disk errors: {operation.name}", errors=injected, bad=len(bad))
    assert bad == []


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of its own; root only. Call it with a tree to put there, and the kB of room that it then has."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    place = tmp_path / "disk"
    place.mkdir()

    def mount(*options: str) -> None:
        command = ["mount", "-t", "tmpfs", *options, "skuscan-faults", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"this machine mounts nothing: {done.stderr.strip()}")

    def fill(tree: Path, room: int) -> Path:
        if place.is_mount():
            subprocess.run(["umount", str(place)], check=True)
        mount("-o", f"size={ROOMY_KB}k")
        store = copy_tree(tree, place / "store")
        free = shutil.disk_usage(place).free // 1024
        mount("-o", f"remount,size={ROOMY_KB - free + room}k")
        return store

    yield fill
    if place.is_mount():
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.guarantee("G12")
@pytest.mark.parametrize("operation", [FIRST, DELTA, METADATA, BASE], ids=lambda operation: operation.name)
def test_a_real_full_disk_costs_no_answer_and_leaves_nothing(operation: Operation, world, small_disk, faults):
    full, done, bad = 0, 0, []
    for room in ROOM_KB[:: max(1, len(ROOM_KB) // faults.count(len(ROOM_KB)))]:
        store = small_disk(world.store(operation.before), room)
        try:
            operation.run(world, store, DISK)
            done += 1
        except SkuscanError:
            full += 1
        wrong = complaints(world, store, operation)
        wrong += [f"left: {path.relative_to(store)}" for path in leftovers(store) if path.suffix != ".part"]
        if wrong:
            bad.append(f"{room} kB: {'; '.join(wrong)}")
    faults.record("G12", f"real full disks: {operation.name}", full=full, large_enough=done, bad=len(bad))
    assert bad == []
    assert full > 0


@pytest.mark.guarantee("G12")
def test_a_device_goes_on_once_there_is_room_again(world, small_disk):
    store = small_disk(world.store("1"), ROOM_KB[-1])
    filler = store.parent / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4_096))
    with pytest.raises(SkuscanError):
        take(world, store, "2")
    assert Store.open(store).open_generation().number == 1
    filler.unlink()
    take(world, store, "2")
    assert Store.open(store).open_generation().number == 2
