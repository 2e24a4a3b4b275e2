"""Work on what came from outside costs no more than its limits, and what breaks one costs nobody else anything."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from skuscan_server.workers import LimitedExecutor, LostWorkError, WorkLimits

PATIENCE = 60.0  # s
ROOM = 500_000_000  # bytes


@pytest.fixture(scope="module")
def workers() -> Iterator[LimitedExecutor]:
    """Two at once, for a second and half a gigabyte."""
    with LimitedExecutor(2, WorkLimits(seconds=1.0, memory=ROOM)) as executor:
        yield executor


def test_work_comes_back(workers: LimitedExecutor) -> None:
    assert [workers.submit(pow, 2, n).result(PATIENCE) for n in range(5)] == [1, 2, 4, 8, 16]


@pytest.mark.guarantee("G21")
def test_work_that_takes_too_long_is_ended_and_named(workers: LimitedExecutor) -> None:
    endless, other = workers.submit(signal.pause), workers.submit(len, "abc")
    with pytest.raises(LostWorkError, match="at most 1 s"):
        endless.result(PATIENCE)
    assert other.result(PATIENCE) == 3
    assert workers.submit(len, "abcd").result(PATIENCE) == 4


@pytest.mark.guarantee("G21")
def test_work_that_takes_too_much_memory_is_refused(workers: LimitedExecutor) -> None:
    with pytest.raises(LostWorkError, match="at most 500 MB"):
        workers.submit(bytes, 2 * ROOM).result(PATIENCE)
    assert workers.submit(len, "abc").result(PATIENCE) == 3


@pytest.mark.guarantee("G21")
def test_work_that_ends_its_process_is_tried_twice_and_named(workers: LimitedExecutor, tmp_path: Path) -> None:
    died = tmp_path / "died"
    with pytest.raises(LostWorkError, match="survives"):
        workers.submit(os.system, f"echo x >> {died}; kill -9 $PPID").result(PATIENCE)
    assert died.read_text().split() == ["x", "x"]
    assert workers.submit(len, "abc").result(PATIENCE) == 3


def test_an_error_is_said(workers: LimitedExecutor) -> None:
    with pytest.raises(RuntimeError, match="invalid literal"):
        workers.submit(int, "x").result(PATIENCE)


def test_processes_end_with_their_executor() -> None:
    with LimitedExecutor(1, WorkLimits(PATIENCE, ROOM)) as executor:
        pid = executor.submit(os.getpid).result(PATIENCE)
        assert executor.submit(os.getpid).result(PATIENCE) == pid  # one process for many jobs
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_many_threads_share_the_workers(workers: LimitedExecutor) -> None:
    results: list[int] = []

    def ask() -> None:
        with suppress(LostWorkError):
            results.append(workers.submit(len, "abc").result(PATIENCE))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert results == [3] * 8
