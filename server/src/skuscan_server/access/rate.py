"""How often a device may ask: a steady rate, and a few requests at once.

The generic cell rate algorithm (ITU-T I.371): of each device one time is kept, at which all that it asked so far would
have come at the steady rate. A request that runs further ahead of the clock than the burst allows is refused, and is
not counted. Each web process keeps its own times, so a device gets at most as many times the rate as there are
processes; in return a refusal costs no write to the database.
"""

import threading
import time
from collections.abc import Callable

from skuscan_server.errors import RateError

MOST_DEVICES = 10_000  # whose times are kept before those that are over are thrown away

Clock = Callable[[], float]


class RateLimit:
    """Limits each device by itself. Safe in any thread.

    Args:
        rate: Requests per second, steadily.
        burst: Requests at once, after a pause.
        clock: Gives seconds that never go back.
    """

    def __init__(self, rate: float, burst: int, clock: Clock = time.monotonic) -> None:
        self._interval = 1.0 / rate
        self._tolerance = (burst - 1) * self._interval
        self._clock = clock
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}  # by device: when its next request would come at the steady rate

    def check(self, device: str) -> None:
        """Count a request. Raises RateError, saying when to come back."""
        with self._lock:
            now = self._clock()
            due = max(now, self._due.get(device, now))
            early = due - now - self._tolerance
            if early > 0:
                raise RateError("a device asks at a steady rate", "more requests", early)
            if len(self._due) >= MOST_DEVICES:
                self._due = {known: time for known, time in self._due.items() if time > now}
            self._due[device] = due + self._interval
