"""Scans while one generation after another goes live."""

import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.shop import Shop
from skuscan.bundle.manifest import parse_manifest
from skuscan.recognizer import Recognizer

ACTIVATIONS = 1_000
REFERENCES = 300  # a small store: it is the activation that is asked about, not the size of the disk
CHANGED = 3  # products, in each delta
QUIET_SCANS = 300
WARM_UP = 5  # scans
PERCENTILE = 99
SLOWER = 1.5  # times, at the percentile

# The agent: a process of its own, as on a device. It makes the generation live whose number it is told.
AGENT = """
import sys
from pathlib import Path
from skuscan.store import Store
folder = Path(sys.argv[1])
store, model = Store.open(folder / "store"), (folder / "model").read_bytes()
for line in sys.stdin:
    update = folder / line.strip()
    for segment in update.glob("*.segment"):
        store.blobs.put(segment.read_bytes())
    store.activate(store.prepare((update / "manifest").read_bytes(), model), lambda generation: None)
    store.collect_garbage()
    print(store.current(), flush=True)
"""


def write_update(folder: Path, shop: Shop) -> None:
    """A delta, kept outside the store, which will be cleaned many times before its turn."""
    data = shop.delta(CHANGED)
    manifest = parse_manifest(data)
    update = folder / str(manifest.generation)
    update.mkdir()
    (update / "manifest").write_bytes(data)
    for number, segment in enumerate(manifest.delta_segments):
        (update / f"{number}.segment").write_bytes(shop.store.blobs.read(segment.file))


def scan(recognizer: Recognizer, photo: bytes) -> tuple[float, int]:
    """Seconds, and the generation that answered."""
    started = time.perf_counter()
    answer = recognizer.identify(photo)
    assert answer.damaged == ()
    return time.perf_counter() - started, answer.generation


@pytest.mark.guarantee("G2", "G26")
def test_scans_neither_fail_nor_wait_while_generations_go_live(tmp_path: Path, faults: Any) -> None:
    shop = Shop(tmp_path, REFERENCES)
    (tmp_path / "model").write_bytes(shop.model)
    shop.store.activate(shop.store.prepare(shop.base(), shop.model), lambda generation: None)
    activations = faults.count(ACTIVATIONS)
    for _ in range(activations):
        write_update(tmp_path, shop)
    seconds: list[float] = []
    with Recognizer.open(shop.store) as recognizer:
        for _ in range(WARM_UP):
            scan(recognizer, shop.photo)
        quiet = [scan(recognizer, shop.photo)[0] for _ in range(QUIET_SCANS)]
        answered = set()
        run = [sys.executable, "-c", AGENT, str(tmp_path)]
        with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as agent:
            assert agent.stdin is not None
            assert agent.stdout is not None
            for number in range(2, 2 + activations):
                agent.stdin.write(f"{number}\n")
                while not select.select([agent.stdout], [], [], 0)[0]:
                    took, generation = scan(recognizer, shop.photo)
                    assert number - 1 <= generation <= number
                    seconds.append(took)
                    answered.add(generation)
                assert agent.stdout.readline() == f"{number}\n"
            agent.stdin.close()
        assert scan(recognizer, shop.photo)[1] == 1 + activations
    calm, busy = (float(np.percentile(times, PERCENTILE)) for times in (quiet, seconds))
    faults.record(
        "G26",
        "scans during activations",
        activations=activations,
        scans=len(seconds),
        failed=0,
        generations_that_answered=len(answered),
        quiet_p99_ms=round(1000 * calm, 1),
        p99_ms=round(1000 * busy, 1),
    )
    assert busy <= SLOWER * calm or not faults.is_full
