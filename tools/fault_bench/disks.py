"""Disks that fail, and disks that end their process, at a chosen system call; and one that costs nothing.

After SQLite's habit (sqlite.org/testing.html, "I/O error testing" and "crash testing"): the n-th call, n = 1, 2, ...
until the work passes.
"""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skuscan.store.durable import Disk

MEMORY = Path("/dev/shm")


class CountingDisk(Disk):
    """Counts the calls that change the disk.

    Args:
        kind: Count those of one kind alone: "write", "rename", "unlink", ...

    Attributes:
        calls: So many were begun.
    """

    def __init__(self, kind: str = "") -> None:
        self.calls = 0
        self._kind = kind

    def _step(self, call: str, path: Path, source: Path | None = None) -> None:
        if self._kind in ("", call):
            self.calls += 1
            self._meet_call()

    def _meet_call(self) -> None:
        """Called before each call that counts; does nothing."""


class FailingDisk(CountingDisk):
    """The n-th call fails with an errno; with `for_good`, every later one too.

    Attributes:
        failed: So many did.
        at: The kind of the call that failed last.
    """

    def __init__(self, nth: int, number: int, for_good: bool = False, kind: str = "") -> None:
        super().__init__(kind)
        self.failed = 0
        self.at = ""
        self._nth = nth
        self._number = number
        self._for_good = for_good

    def _step(self, call: str, path: Path, source: Path | None = None) -> None:
        try:
            super()._step(call, path, source)
        except OSError:
            self.at = call
            raise

    def _meet_call(self) -> None:
        if self.calls == self._nth or (self._for_good and self.calls > self._nth):
            self.failed += 1
            raise OSError(self._number, os.strerror(self._number))


class Killed(BaseException):
    """The process ends here: raised in place of a kill, where a test cannot spare the process."""


class KilledDisk(CountingDisk):
    """Raises Killed before the call after the first `calls`, and before whatever a dead process would do next."""

    def __init__(self, calls: int, kind: str = "") -> None:
        super().__init__(kind)
        self._allowed = calls

    def _step(self, call: str, path: Path, source: Path | None = None) -> None:
        super()._step(call, path, source)
        if self.calls > self._allowed:
            raise Killed


class DyingDisk(CountingDisk):
    """Kills its own process before the n-th call: no handler, no cleaning up."""

    def __init__(self, nth: int) -> None:
        super().__init__()
        self._nth = nth

    def _meet_call(self) -> None:
        if self.calls == self._nth:
            os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def memory_folder(otherwise: Path) -> Iterator[Path]:
    """A folder in memory, where thousands of stores are made: an fsync costs nothing there, and the calls are the same.

    Args:
        otherwise: What is given where there is no such file system.
    """
    if not os.access(MEMORY, os.W_OK):
        yield otherwise
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)
