"""No bytes from outside crash a reader, hang it, or make it use memory beyond its limit: a value or a SkuscanError."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools.fault_bench import fuzz
from tools.fault_bench.readers import READERS

INPUTS = 30_000  # of each reader
FEWER = {"metadata": 2_000, "bundle": 10_000}  # a repository is verified for each, a file written
SECONDS_EACH = 0.5  # s, that inputs may take on average before the whole run counts as hanging
START_SECONDS = 120.0  # s


@pytest.mark.guarantee("G21")
@pytest.mark.parametrize("reader", sorted(READERS))
def test_mutated_bytes_end_in_a_value_or_a_refusal(reader: str, faults, tmp_path: Path, project_root: Path) -> None:
    count, last = faults.count(FEWER.get(reader, INPUTS)), tmp_path / "last"
    child = subprocess.run(
        [sys.executable, "-m", "tools.fault_bench.fuzz", reader, str(count), "--last-input", str(last)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # libtiff says there what it thinks of each picture
        cwd=project_root,
        timeout=START_SECONDS + count * SECONDS_EACH,
    )
    died = child.returncode != 0
    result = {"findings": [], "seconds": 0.0, "peak_mb": 0} if died else json.loads(child.stdout)
    bad = len(result["findings"]) + died
    faults.record("G21", f"mutated {reader}", inputs=count, bad=bad, seconds=result["seconds"], peak=result["peak_mb"])
    assert not died, f"input {int.from_bytes(last.read_bytes(), 'little')} ended the process: {child.returncode}"
    assert not result["findings"]


@pytest.mark.parametrize(
    ("read", "found"),
    [
        (lambda data: {}[len(data)], "KeyError"),
        (lambda data: bytes(1 << 40), "MemoryError"),
        (lambda data: sys.exit(), "SystemExit"),
    ],
)
def test_the_fuzzer_finds_what_is_no_refusal(read, found: str) -> None:
    findings = fuzz.fuzz(fuzz.Reader([b"seed"], read), range(3), lambda number: None)
    assert findings
    assert all(found in finding for finding in findings)


def test_the_fuzzer_ends_a_reader_that_hangs(tmp_path: Path, project_root: Path) -> None:
    program = (
        "from tools.fault_bench import fuzz, readers; fuzz.SECONDS = 0.1\n"
        "def hang(data):\n"
        "    while data != b'seed': pass\n"
        "readers.READERS['token'] = lambda: fuzz.Reader([b'seed'], hang)\n"
        "fuzz.main()"
    )
    command = [sys.executable, "-c", program, "token", "10", "--last-input", str(tmp_path / "last")]
    child = subprocess.run(command, cwd=project_root, timeout=START_SECONDS, capture_output=True)
    assert child.returncode == -signal.SIGPROF, child.stderr.decode()
    assert (tmp_path / "last").stat().st_size == fuzz.NUMBER_BYTES
