"""The scheduler: publishes what changed and keeps signatures fresh, in a process of its own.

Every second it looks at all assortments:

 * one that an operator asked for is published at once;
 * one with changes is published when there are many, when no more came for a while, or when the oldest waited long;
 * one whose metadata was signed a day ago is signed again.

Once a day it removes what nothing published needs any more.

What goes wrong is noted with the assortment and tried again later; the scheduler itself goes on.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from skuscan.errors import SkuscanError
from skuscan_server.catalogue.products import catalogue_version
from skuscan_server.db.models import Assortment
from skuscan_server.errors import BusyError
from skuscan_server.services import Services

TICK = 1.0  # s between two looks
RETRY = 60.0  # s until an assortment whose publication failed is tried again
PRUNE_RETRY = 3_600.0  # s until pruning that met a backup or a builder is tried again
ERROR_LENGTH = 600  # characters kept of an error

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rules:
    """When changes are published.

    Attributes:
        changes: So many at once.
        quiet: s without another change.
        interval: s since the last publication, however many more come.
    """

    changes: int
    quiet: float
    interval: float


@dataclass(frozen=True)
class Pending:
    """What waits to be published.

    Attributes:
        requested: What an operator asked for; empty: nothing.
        changes: How many changes wait.
        since_change: s since the last of them.
        since_build: s since the last publication.
    """

    requested: str
    changes: int
    since_change: float
    since_build: float


def is_due(pending: Pending, rules: Rules) -> bool:
    """Whether it is time to publish."""
    if pending.requested:
        return True
    if not pending.changes:
        return False
    return (
        pending.changes >= rules.changes or pending.since_change >= rules.quiet or pending.since_build >= rules.interval
    )


class Scheduler:
    """Looks after all assortments of a server."""

    def __init__(self, services: Services) -> None:
        self._services = services
        config = services.config
        self._rules = Rules(config.regenerate_changes, config.regenerate_quiet, config.regenerate_interval)
        self._resign_interval = config.resign_interval
        self._retry_at: dict[str, float] = {}  # by assortment; UTC s
        self._prune_at = time.monotonic()  # when files and rows are removed next

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop."""
        log.info("the scheduler runs")
        while not stop.is_set():
            try:
                self.tick(stop)
            except SQLAlchemyError:
                log.warning("the database did not answer; trying again", exc_info=True)
            stop.wait(TICK)
        log.info("the scheduler stopped")

    def tick(self, stop: threading.Event) -> None:
        """Look once at every assortment."""
        with self._services.database.read() as session:
            version, changed_at = catalogue_version(session)
            assortments = session.scalars(select(Assortment).order_by(Assortment.name)).all()
        for assortment in assortments:
            if stop.is_set():
                return
            now = time.time()
            pending = Pending(
                assortment.publish_requested,
                version - assortment.built_version,
                now - changed_at,
                now - assortment.built_at,
            )
            if is_due(pending, self._rules) and now >= self._retry_at.get(assortment.name, 0.0):
                self._guarded(assortment, self._publish)
            elif assortment.signed_at and now - assortment.signed_at >= self._resign_interval:
                self._guarded(assortment, self._resign)
        if time.monotonic() >= self._prune_at:
            self._prune()

    def _publish(self, assortment: Assortment) -> None:
        force = "" if assortment.publish_requested == "changes" else assortment.publish_requested
        done = self._services.publish(assortment.name, force=force)
        log.info("%s: %s", assortment.name, f"published {done}" if done else "nothing changed")

    def _resign(self, assortment: Assortment) -> None:
        self._services.repository(assortment.name).resign()
        with self._services.database.write() as session:
            session.get_one(Assortment, assortment.name).signed_at = time.time()
        log.info("%s: signed again", assortment.name)

    def _guarded(self, assortment: Assortment, work: Callable[[Assortment], None]) -> None:
        """Do some work; what goes wrong is noted, and never ends the scheduler."""
        try:
            work(assortment)
            self._retry_at.pop(assortment.name, None)
        except BusyError as error:
            log.info("%s: %s", assortment.name, error)
        except SkuscanError as error:
            log.warning("%s: %s", assortment.name, error)
            self._note_failure(assortment, str(error))
        except Exception:  # a bug in one assortment's publication must not stop the others'
            log.exception("%s: the publication failed", assortment.name)
            self._note_failure(assortment, "an internal error: see the scheduler's log")

    def _prune(self) -> None:
        """Remove what nobody needs; what goes wrong is logged, and tried again later."""
        try:
            log.info("%s", self._services.pruner().run())
            self._prune_at = time.monotonic() + self._services.config.prune_interval
        except SkuscanError as error:
            log.warning("nothing more is pruned now: %s", error)
            self._prune_at = time.monotonic() + PRUNE_RETRY

    def _note_failure(self, assortment: Assortment, error: str) -> None:
        self._retry_at[assortment.name] = time.time() + RETRY
        with self._services.database.write() as session:
            row = session.get_one(Assortment, assortment.name)
            row.publish_requested, row.last_error = "", error[:ERROR_LENGTH]
