"""A worker whose wall clock is wrong, as python-tuf and everything else in its process reads it.

A library of forty lines is preloaded that changes the wall clock alone; libfaketime hangs in threads that wait with a
timeout (docs/decisions/0135-a-wrong-clock-of-our-own.md).
"""

import mmap
import random
import shutil
import struct
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from tools.fault_bench.worker import Worker

COMPILER = shutil.which("cc")
JUMP_SECONDS = 0.01  # s between two jumps
_SECONDS = struct.Struct("=q")


class ClockedWorker(Worker):
    """A worker whose clock is set, in the middle of a job, too. It needs a C compiler.

    Args:
        folder: Where the library is made.
    """

    def __init__(self, folder: Path) -> None:
        library, state = folder / "wrong_clock.so", folder / "wrong_clock"
        source = Path(__file__).with_name("wrong_clock.c")
        subprocess.run([str(COMPILER), "-O1", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        state.write_bytes(_SECONDS.pack(0))
        with state.open("r+b") as file:
            self._ahead = mmap.mmap(file.fileno(), _SECONDS.size)
        super().__init__({"LD_PRELOAD": str(library), "SKUSCAN_WRONG_CLOCK": str(state)})

    def set(self, time: datetime) -> None:
        """From now on the clock runs from this time."""
        self._ahead[:] = _SECONDS.pack(round((time - datetime.now(timezone.utc)).total_seconds()))

    @contextmanager
    def jumping(self, rng: random.Random, times: Sequence[datetime]) -> Iterator[None]:
        """The clock jumps between some times, until the block ends."""
        stop = threading.Event()

        def jump() -> None:
            while not stop.wait(JUMP_SECONDS):
                self.set(rng.choice(times))

        thread = threading.Thread(target=jump, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
