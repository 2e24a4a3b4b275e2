"""Probation: which generations are on trial, crashed there, or were rejected.

A trial leaves the file `trial/<generation>.<pid>.<token>` while its probes run. Trials run under the store's lock, so a
marker that the lock's holder finds is one whose process was killed or crashed.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from skuscan.errors import StoreError
from skuscan.store.checked_json import read_checked, write_checked
from skuscan.store.durable import Disk

CRASHES_ALLOWED = 1  # the second rejects: one may be a power cut

_REJECTED = ".rejected"


class Trials:
    """The folder `trial/`. Only the holder of the store's lock writes."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk

    @contextlib.contextmanager
    def run(self, generation: int) -> Iterator[None]:
        """Mark a generation as on trial while the body runs. The mark stays only when the process ends inside."""
        marker = self._folder / f"{generation}.{os.getpid()}.{secrets.token_hex(4)}"
        self._disk.write_file(marker, b"")
        try:
            yield
        finally:
            self._disk.remove(marker)

    def crashes(self, generation: int) -> int:
        """How many trials of a generation ended with their process."""
        return sum(not path.name.endswith(_REJECTED) for path in self._folder.glob(f"{generation}.*"))

    def reject(self, generation: int, reason: str) -> None:
        """Remember that a generation is not to be tried again. Raises StoreError when the disk fails."""
        write_checked(self._disk, self._folder / f"{generation}{_REJECTED}", {"reason": reason})

    def rejected(self) -> dict[int, str]:
        """Rejected generations, and why."""
        return {int(path.stem): _reason(path) for path in sorted(self._folder.glob(f"*{_REJECTED}"))}

    def forget(self, generation: int) -> None:
        """Remove the marks of a generation that went live and of all before it, which the floor forbids anyway."""
        for path in self._folder.glob("[0-9]*"):
            if int(path.name.partition(".")[0]) <= generation:
                self._disk.remove(path)


def _reason(path: Path) -> str:
    try:
        return str(read_checked(path)["reason"])
    except StoreError as error:
        return str(error)
