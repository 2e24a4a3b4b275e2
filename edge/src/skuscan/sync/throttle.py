"""A cap on bandwidth: one token bucket that all connections of a transport draw from."""

import threading
import time
from collections.abc import Callable

BURST_SECONDS = 0.25  # s of the rate that an idle line saves up


class Throttle:
    """Says how long to wait after each piece, so that all pieces together keep to a rate. Safe in several threads.

    A piece is drawn after it came, and may leave a debt that is waited off: while nobody reads, the kernel's buffers
    fill and the server is held back by TCP itself.

    Args:
        rate: Bytes/s, over 0.
        clock: Seconds, never falling.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._saved = self._most = rate * BURST_SECONDS  # bytes; below zero a debt
        self._at = clock()
        self._lock = threading.Lock()

    def draw(self, received: int) -> float:
        """Account for some bytes: seconds to wait before asking for more."""
        with self._lock:
            now = self._clock()
            self._saved = min(self._most, self._saved + (now - self._at) * self._rate) - received
            self._at = now
            return max(0.0, -self._saved / self._rate)
