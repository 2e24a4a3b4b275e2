"""Damaged files: every sort of file that a store has, every sort of damage."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tools.fault_bench.device import World

DAMAGES = 10_000
BATCH = 250  # in one process, which a damaged file may end


@pytest.fixture(scope="module")
def world(memory: Path) -> World:
    return World.make(memory)


def run_batch(world: World, scratch: Path, root: Path, first: int, last: int) -> tuple[list[dict], int]:
    """What came of these damages, and how many processes ended of one."""
    outcomes, crashes = [], 0
    while first < last:
        numbers = (str(first), str(last))
        command = [sys.executable, "-m", "tools.fault_bench.corruption", str(world.folder), str(scratch), *numbers]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        told = [json.loads(line) for line in done.stdout.splitlines()]
        outcomes += told
        first += len(told)
        if done.returncode != 0:
            crashes, first = crashes + 1, first + 1
            outcomes.append({"found": "", "wrong": f"damage {first - 1} ended its process: {done.stderr[-2_000:]}"})
    return outcomes, crashes


@pytest.mark.guarantee("G11")
def test_no_damage_is_used_or_ends_the_process_and_each_is_repaired(world, memory, project_root, faults):
    damages, outcomes, crashes = faults.count(DAMAGES), [], 0
    for first in range(0, damages, BATCH):
        some, ended = run_batch(world, memory / "scratch", project_root, first, min(damages, first + BATCH))
        outcomes, crashes = outcomes + some, crashes + ended
    bad = [outcome for outcome in outcomes if outcome["wrong"]]
    found = Counter(outcome["found"] or "no effect" for outcome in outcomes)
    faults.record(
        "G11",
        "damaged files",
        damages=damages,
        processes_ended=crashes,
        used=sum("was used" in outcome["wrong"] for outcome in bad),
        bad=len(bad),
        unanswered_until_repaired=sum(not outcome.get("answered", True) for outcome in outcomes),
        **{f"found at {where}" if where != "no effect" else where: number for where, number in found.items()},
    )
    assert bad == []
    assert len(outcomes) == damages
