"""What the fault bench shares: how many faults a run injects, and the figures that it leaves behind.

`make faults` injects all of them and writes `benchmarks/results/faults.json`; `make faults SHARE=0.1` injects a tenth,
as continuous integration does, and writes into `build/`, since a tenth proves less.
"""

import json
import math
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tools.fault_bench.disks import memory_folder
from tools.fault_bench.http import Server
from tools.fault_bench.serving import serving_folders

RESULTS = "benchmarks/results/faults.json"
PARTIAL_RESULTS = "build/faults.json"
FEWEST = 3  # of each kind, however small the share


@dataclass
class FaultBench:
    """One run of the bench.

    Attributes:
        share: Of the full counts, in (0, 1].
        figures: What each part of a promise came to: id of the promise, then the part's name.
    """

    share: float
    figures: dict[str, dict[str, dict[str, float | int | str]]] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Whether times are asserted: a tenth runs on machines that are busy, and sees too few for a p99."""
        return self.share == 1

    def count(self, full: int) -> int:
        """How many of `full` faults this run injects."""
        return min(full, max(FEWEST, math.ceil(full * self.share)))

    def record(self, guarantee: str, part: str, **figures: float | int | str) -> None:
        """Keep what was seen: `record("G1", "killed activations", kills=2000, bad=0)`. Call it before asserting."""
        self.figures.setdefault(guarantee, {})[part] = figures


@pytest.fixture(scope="session")
def faults(project_root: Path) -> Iterator[FaultBench]:
    """The bench; its figures are merged into the results' file when the run ends."""
    share = float(os.environ.get("SKUSCAN_FAULTS", "1"))
    if not 0 < share <= 1:
        raise pytest.UsageError(f"SKUSCAN_FAULTS is a share in (0, 1]; got {share}")
    bench = FaultBench(share)
    yield bench
    _merge(project_root / (RESULTS if share == 1 else PARTIAL_RESULTS), bench)


def _merge(path: Path, bench: FaultBench) -> None:
    """Parts that this run did not measure stay: the bench may be run file by file."""
    kept = json.loads(path.read_text())["guarantees"] if path.exists() else {}
    for guarantee, parts in bench.figures.items():
        kept.setdefault(guarantee, {}).update(parts)
    result = {
        "command": "make faults",
        "share": bench.share,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "guarantees": {name: kept[name] for name in sorted(kept, key=lambda name: int(name[1:]))},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")


@pytest.fixture(scope="session")
def quiet_machine(faults: FaultBench) -> None:
    """For times in yardsticks: a tenth skips them, since it runs where other work does."""
    if not faults.is_full:
        pytest.skip("times are asserted in a full run, on a machine that does nothing else")


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for thousands of stores."""
    with memory_folder(tmp_path_factory.mktemp("work")) as folder:
        yield folder


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[Path], Server]]:
    """Serves folders on loopback until the file's tests are over."""
    with serving_folders() as start:
        yield start
