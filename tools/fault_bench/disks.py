"""Disks that fail, and disks that end their process, at a chosen system call.

After SQLite's habit (sqlite.org/testing.html, "I/O error testing" and "crash testing"): the n-th call, n = 1, 2, ...
until the work passes.
"""

import os
import signal
from pathlib import Path

from skuscan.store.durable import Disk


class CountingDisk(Disk):
    """Counts the calls that change the disk.

    Attributes:
        calls: So many were begun.
    """

    def __init__(self) -> None:
        self.calls = 0

    def _step(self, call: str, path: Path, source: Path | None = None) -> None:
        self.calls += 1


class FailingDisk(CountingDisk):
    """The n-th call fails with an errno; with `for_good`, every later one too.

    Attributes:
        failed: So many did.
    """

    def __init__(self, nth: int, number: int, for_good: bool = False) -> None:
        super().__init__()
        self.failed = 0
        self._nth = nth
        self._number = number
        self._for_good = for_good

    def _step(self, call: str, path: Path, source: Path | None = None) -> None:
        self.calls += 1
        if self.calls == self._nth or (self._for_good and self.calls > self._nth):
            self.failed += 1
            raise OSError(self._number, os.strerror(self._number))


class Killed(BaseException):
    """The process ends here: raised in place of a kill, where a test cannot spare the process."""


class KilledDisk(CountingDisk):
    """Raises Killed before every call after the first `calls`, of any kind or of one ("rename", "unlink", ...)."""

    def __init__(self, calls: int, kind: str = "") -> None:
        super().__init__()
        self._allowed = calls
        self._kind = kind

    def _step(self, call: str, path: Path, source: Path | None = None) -> None:
        self.calls += self._kind in ("", call)
        if self.calls > self._allowed:
            raise Killed


class DyingDisk(CountingDisk):
    """Kills its own process before the n-th call: no handler, no cleaning up."""

    def __init__(self, nth: int) -> None:
        super().__init__()
        self._nth = nth

    def _step(self, call: str, path: Path, source: Path | None = None) -> None:
        self.calls += 1
        if self.calls == self._nth:
            os.kill(os.getpid(), signal.SIGKILL)
