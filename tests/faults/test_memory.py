"""What an activation needs in memory, beside what a scanning device needs all the time."""

import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.shop import Shop

REFERENCES = 10_000
DELTA_SHARE = 1.2  # of the steady private memory
NEW_BASE_MB = 64.0  # beside it
LOOK_SECONDS = 0.005  # s, between two looks
CHANGED = REFERENCES // 100

# A device: it scans, and the same process takes an update. Memory is what no other process shares and no file backs,
# of the process and its children, looked at all the time from outside.
DEVICE = """
import sys
from functools import partial
from pathlib import Path
from skuscan import Recognizer
from skuscan.bundle.manifest import parse_manifest
from skuscan.store import Store
from skuscan.sync.index_build import child_builder
from skuscan.sync.probes import check_probes

folder = Path(sys.argv[1])
photo = (folder / "probe.jpg").read_bytes()
with Recognizer.open(Store.open(folder / "store")) as recognizer:
    for _ in range(3):
        recognizer.identify(photo)
    for update in sys.argv[2:]:
        print("steady", flush=True)
        sys.stdin.readline()
        store = Store.open(folder / "store")
        manifest = (folder / update).read_bytes()
        # As `plan_sync` decides: a delta keeps the index of its base, a new base gets one in a child.
        build = child_builder(parse_manifest(manifest).annoy) if update == "base" else None
        probe = partial(check_probes, eye=recognizer.eye)  # as a program does that scans and syncs in one process
        store.activate(store.prepare(manifest, (folder / "model").read_bytes(), build), probe)
        recognizer.identify(photo)
        print("done", flush=True)
        sys.stdin.readline()
"""


def private_mb(process: int, parent_runs: str = "") -> float:
    """MB of a process and its children; a child that has not begun its own program still has its parent's memory."""
    try:
        runs = Path(f"/proc/{process}/cmdline").read_text()
        if runs == parent_runs:
            return 0.0
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
        sizes = {name: int(kb) for name, kb, _ in (line.split() for line in lines)}
        own = (sizes["Anonymous:"] + sizes["Swap:"]) / 1024
        threads = Path(f"/proc/{process}/task").iterdir()
        children = " ".join((thread / "children").read_text() for thread in threads)
    except (FileNotFoundError, ProcessLookupError, ValueError):  # it has just ended
        return 0.0
    return own + sum(private_mb(int(child), runs) for child in children.split())


def peak_until(device: subprocess.Popen[str], word: str) -> float:
    """The most that a device needed until it said a word."""
    assert device.stdout is not None
    peak, said = 0.0, b""
    while word.encode() not in said:
        assert device.poll() is None, "the device ended"
        peak = max(peak, private_mb(device.pid))
        if select.select([device.stdout], [], [], LOOK_SECONDS)[0]:
            said += os.read(device.stdout.fileno(), 100)
    return peak


@pytest.fixture(scope="module")
def peaks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[float, float]]:
    """Steady and highest private memory, in MB, of a delta and of a new base."""
    folder = tmp_path_factory.mktemp("memory")
    shop = Shop(folder, REFERENCES)
    (folder / "model").write_bytes(shop.model)
    shop.store.activate(shop.store.prepare(shop.base(), shop.model), lambda generation: None)
    (folder / "delta").write_bytes(shop.delta(CHANGED))
    (folder / "base").write_bytes(shop.base())
    run = [sys.executable, "-c", DEVICE, str(folder), "delta", "base"]
    measured = {}
    with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as device:
        assert device.stdin is not None
        for update in ("delta", "base"):
            peak_until(device, "steady")
            steady = private_mb(device.pid)
            device.stdin.write("\n")
            device.stdin.flush()
            measured[update] = steady, peak_until(device, "done")
            device.stdin.write("\n")
            device.stdin.flush()
    return measured


@pytest.mark.guarantee("G9")
def test_a_delta_needs_a_fifth_more_memory_at_most(peaks: dict[str, tuple[float, float]], faults: Any) -> None:
    steady, peak = peaks["delta"]
    faults.record("G9", "memory of a delta", steady_mb=round(steady, 1), peak_mb=round(peak, 1))
    assert peak <= DELTA_SHARE * steady


@pytest.mark.guarantee("G9")
def test_a_new_base_needs_64_mb_more_at_most(peaks: dict[str, tuple[float, float]], faults: Any) -> None:
    steady, peak = peaks["base"]
    faults.record("G9", "memory of a new base", steady_mb=round(steady, 1), peak_mb=round(peak, 1))
    assert peak <= steady + NEW_BASE_MB
