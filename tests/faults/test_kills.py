"""kill -9, to real processes, in the midst of whatever a device does."""

import random
import re
import shutil
from itertools import count
from pathlib import Path

import pytest

from skuscan.store.blobs import BlobFolder
from tools.fault_bench.device import (
    ACTIVATION,
    BASE,
    CLEANING,
    DELTA,
    FIRST,
    METADATA,
    OPTIONS,
    REPAIR,
    ROLLBACK,
    SYNC,
    Operation,
    World,
    complaints,
    finish,
)
from tools.fault_bench.disks import CountingDisk
from tools.fault_bench.kills import Death, Killer

SEED = 9
KILLS = {  # in a full run
    SYNC: 500,
    BASE: 400,
    FIRST: 200,
    DELTA: 200,
    METADATA: 200,
    ACTIVATION: 300,
    CLEANING: 150,
    REPAIR: 100,
    ROLLBACK: 100,
}
DOWNLOAD_KILLS = 100
BACKBONE_BYTES = 400_000  # many blocks


@pytest.fixture(scope="module")
def server(serve, memory: Path):
    return serve(memory)


@pytest.fixture(scope="module")
def world(memory: Path, server) -> World:
    made = World.make(memory, server.url, random.Random(SEED).randbytes(BACKBONE_BYTES))
    server.root = made.published("4")
    return made


@pytest.fixture(scope="module")
def killer(world: World, project_root: Path):
    with Killer(world, project_root) as running:
        yield running


@pytest.fixture(scope="module")
def places(memory: Path):
    """New places for stores."""
    numbers = count()
    return lambda: memory / f"killed-{next(numbers)}"


def calls_of(operation: Operation, world: World, place: Path) -> int:
    """How many calls change the disk in an undisturbed run."""
    disk = CountingDisk()
    operation.run(world, operation.prepare(world, place), disk)
    shutil.rmtree(place)
    return disk.calls


@pytest.mark.guarantee("G1")
@pytest.mark.guarantee("G16")
@pytest.mark.parametrize("operation", KILLS, ids=lambda operation: operation.name)
def test_a_device_killed_at_any_moment_holds_one_complete_generation(operation, world, killer, places, faults):
    rng = random.Random(SEED)
    calls = calls_of(operation, world, places())
    lasts = killer.kill(Death(operation.name, str(operation.prepare(world, places())))).seconds
    kills, killed, bad = faults.count(KILLS[operation]), 0, []
    for number in range(kills):
        store = operation.prepare(world, places())
        if number % 2:  # at a system call, spread over all of them
            death = Death(operation.name, str(store), before_call=1 + number * calls // kills)
        else:  # at a moment
            death = Death(operation.name, str(store), after_seconds=rng.uniform(0, lasts))
        killed += killer.kill(death).killed
        if wrong := complaints(world, store, operation) or finish(world, store, operation):
            bad.append(f"{death}: {'; '.join(wrong)}")
        shutil.rmtree(store)
    faults.record("G1", f"kill -9: {operation.name}", kills=killed, runs=kills, bad=len(bad))
    assert bad == []
    assert killed > kills / 2


@pytest.mark.guarantee("G8")
def test_a_download_that_is_killed_goes_on_where_it_was(world, server, killer, places, faults):
    """What is fetched twice is counted from the byte at which the process died to the one that it asked for next."""
    rng, kills, twice = random.Random(SEED), 0, []
    file = world.largest_file()
    while kills < faults.count(DOWNLOAD_KILLS):
        store, reached, dead = world.copy("0", places()), 0, True
        while dead:
            server.requests.clear()
            died_at, reached = reached, reached + rng.randrange(1, BACKBONE_BYTES // 8)
            dead = killer.kill(Death(SYNC.name, str(store), after_bytes=reached)).killed
            kills += dead
            asked = server.requests[-1].headers.get("Range", "bytes=0-")
            twice.append(died_at - int(re.sub(r"\D", "", asked)))
        assert BlobFolder(store / "blobs").is_intact(file)
        shutil.rmtree(store)
    block = OPTIONS.limits.block_bytes
    faults.record("G8", "downloads killed", kills=kills, most_bytes_fetched_twice=max(twice), block_bytes=block)
    assert max(twice) <= block
