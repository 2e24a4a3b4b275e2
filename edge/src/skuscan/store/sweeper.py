"""A daily sweep in a process that has nobody else to look after its store.

It runs in a thread of its own, and only when no process has swept the store within the day: where
`skuscan sync --watch` runs, it has nothing to do. Damage is repaired from what is here; what must be fetched waits for
the next sync.
"""

import logging
import threading

from skuscan.errors import SkuscanError
from skuscan.store.store import Store

LOOK_SECONDS = 600.0  # s, between two looks at whether a sweep is due; the first comes after a start is over

_log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps a store in the background until `stop` is called.

    Args:
        store: The device's.
        sweep_seconds: Between two sweeps, of whatever process.
        look_seconds: Between two looks at whether one is due.
    """

    def __init__(self, store: Store, sweep_seconds: float, look_seconds: float = LOOK_SECONDS) -> None:
        self._store = store
        self._sweep_seconds = sweep_seconds
        self._look_seconds = look_seconds
        self._stop = threading.Event()
        threading.Thread(target=self._run, name="skuscan-sweep", daemon=True).start()

    def stop(self) -> None:
        """End the thread; a sweep that is under way is finished first."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._look_seconds):
            try:
                if self._store.is_sweep_due(self._sweep_seconds):
                    lost = self._store.sweep().lost
                    if lost:
                        _log.warning("%d damaged files were taken out; the next sync fetches them again", len(lost))
            except SkuscanError as error:  # another process writes, or the store is read-only
                _log.info("no sweep now: %s", error)
