"""Stay, and take every generation that is published.

The device listens (`events.py`) and polls. Hearing of a generation that it does not have, it waits a random part of the
spread, so that a fleet does not come at once, and syncs. When it hears nothing, because nothing is published or because
nobody can be heard, it syncs once in each polling interval, which is jittered, too.
"""

import logging
import random
import threading
import time

from skuscan.errors import SkuscanError, TrustError
from skuscan.store import Store
from skuscan.sync.agent import Probe, Sync
from skuscan.sync.events import Listener, News
from skuscan.sync.options import SyncLimits, SyncOptions
from skuscan.sync.probes import check_probes
from skuscan.sync.service import ServiceManager
from skuscan.sync.source import server_source

POLL_JITTER = 0.25  # share of the polling interval, either way: a fleet must not knock in step
REPORT_SECONDS = 86_400.0  # s, between two reports when there is no news
TICK = 0.5  # s, between two looks at what was heard

log = logging.getLogger(__name__)


def watch(
    store: Store,
    options: SyncOptions,
    stop: threading.Event,
    probe: Probe = check_probes,
    manager: ServiceManager | None = None,
) -> None:
    """Sync again and again until `stop` is set. What fails is logged, and tried again at the next poll.

    Every `options.sweep_seconds` all files are read, and what is found damaged is fetched again.

    Args:
        store: The device's.
        options: How to reach the server, how often, and what it may cost.
        stop: Ends it, within seconds.
        probe: As in `sync_once`.
        manager: Is told that this is alive, as long as it is.
    """
    with Listener(store.identity, options) as listener:
        _Watch(store, options, stop, probe, manager or ServiceManager(), listener).run()


class _Watch:
    """The loop, and what it remembers from one round to the next."""

    def __init__(
        self,
        store: Store,
        options: SyncOptions,
        stop: threading.Event,
        probe: Probe,
        manager: ServiceManager,
        listener: Listener,
    ) -> None:
        self._store = store
        self._options = options
        self._stop = stop
        self._probe = probe
        self._manager = manager
        self._listener = listener
        self._acted_on = 0  # the generation of the last event that led to a sync
        self._next_report = time.monotonic() + REPORT_SECONDS
        self._refused = ""  # why, as it was last reported
        self._report = True  # the first time, so that the server knows who is there

    def run(self) -> None:
        """See `watch`."""
        self._manager.ready()
        while not self._stop.is_set():
            for work in (self._sync, self._heal):
                try:
                    work()
                except SkuscanError as error:
                    if not self._stop.is_set():
                        log.warning("%s", error)
                        self._manager.status(str(error))
            self._wait()

    def _sync(self) -> None:
        source = server_source(self._store.identity, self._options, self._stop)
        sync = Sync(self._store, self._options, self._probe, lambda done, total: self._manager.alive(), source)
        try:
            result = sync.run(always_report=self._report)
        except TrustError as error:
            if str(error) != self._refused:
                self._refused = str(error)
                sync.report_refusal(error)
            raise
        self._refused = ""
        log.info("%s, generation %d %s", result.state, result.generation, result.reason)
        self._manager.status(f"{result.state}, generation {result.generation} {result.reason}".rstrip())
        self._report = time.monotonic() >= self._next_report
        if self._report:
            self._next_report = time.monotonic() + REPORT_SECONDS

    def _heal(self) -> None:
        """Also while the server is away: much can be repaired here."""
        if self._store.current() is not None and self._store.is_sweep_due(self._options.sweep_seconds):
            source = server_source(self._store.identity, self._options, self._stop)
            Sync(self._store, self._options, self._probe, lambda done, total: self._manager.alive(), source).heal()
            self._report = True

    def _wait(self) -> None:
        """Until the next poll is due, or news are."""
        jitter = random.uniform(1 - POLL_JITTER, 1 + POLL_JITTER)
        due = time.monotonic() + self._options.poll_seconds * jitter
        while (left := due - time.monotonic()) > 0 and not self._stop.wait(min(left, TICK)):
            self._manager.alive()
            news = self._listener.take()
            if news and news.generation not in (self._acted_on, self._store.current()):
                self._acted_on = news.generation
                due = min(due, time.monotonic() + wait_for(news, self._options.limits))


def wait_for(news: News, limits: SyncLimits) -> float:
    """Seconds until a device comes for news: within the spread that the server asks for, as far as limits allow.

    The least spread bounds what a server can cost that tells of a new generation all the time.
    """
    spread = min(max(news.spread, limits.spread_floor_seconds), limits.spread_cap_seconds)
    return random.uniform(0.0, spread)
