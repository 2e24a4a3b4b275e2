"""One builder at a time for each assortment, over threads, processes and machines.

The lock is a row with a holder and an expiry. The holder renews it while it works; a builder that died is taken over
when its lease ran out. Before anything becomes visible the builder asks again whether it still holds the lock. Times
are those of the machines that build, whose clocks must agree to within half a lease.
"""

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import CursorResult, Update, or_, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from skuscan_server.db.models import BuilderLock
from skuscan_server.db.session import Database
from skuscan_server.errors import BusyError

RENEWALS_PER_LEASE = 4
RETRY = 0.5  # s between two attempts of a builder that waits
MAINTENANCE = ".maintenance"  # no assortment's name: held by a backup, and by what removes old files

log = logging.getLogger(__name__)


class Lease:
    """A held lock."""

    def __init__(self, database: Database, assortment: str, seconds: float) -> None:
        self._database = database
        self._assortment = assortment
        self._seconds = seconds
        self._holder = uuid.uuid4().hex

    def take(self) -> None:
        """Take the lock when it is free or its lease ran out. Raises BusyError."""
        self._make_row()
        now = time.time()
        free = or_(BuilderLock.holder == "", BuilderLock.expires_at < now)
        taken = self._update(
            update(BuilderLock)
            .where(BuilderLock.assortment == self._assortment, free)
            .values(holder=self._holder, expires_at=now + self._seconds)
        )
        if not taken:
            raise BusyError(
                "one builder at a time builds an assortment", f"{self._assortment} is being built", "try again later"
            )

    def check(self) -> None:
        """Renew the lease. Raises BusyError when another builder took over."""
        renewed = self._update(self._mine().values(expires_at=time.time() + self._seconds))
        if not renewed:
            raise BusyError("a builder holds its lock until it is done", f"{self._assortment} was taken over")

    def release(self) -> None:
        """Free the lock, if it is still ours."""
        self._update(self._mine().values(holder="", expires_at=0.0))

    def _mine(self) -> Update:
        return update(BuilderLock).where(BuilderLock.assortment == self._assortment, BuilderLock.holder == self._holder)

    def _make_row(self) -> None:
        try:
            with self._database.write() as session:
                if session.get(BuilderLock, self._assortment) is None:
                    session.add(BuilderLock(assortment=self._assortment, holder="", expires_at=0.0))
        except IntegrityError:
            log.debug("another builder made the lock of %s", self._assortment)

    def _update(self, statement: Update) -> bool:
        with self._database.write() as session:
            result = session.execute(statement)
            assert isinstance(result, CursorResult)
            return result.rowcount == 1


@contextmanager
def builder_lock(database: Database, assortment: str, seconds: float, wait: float = 0.0) -> Iterator[Lease]:
    """Hold the lock of an assortment for a block.

    Args:
        database: Where the lock is.
        assortment: What is built.
        seconds: s, after which a holder that died is taken over.
        wait: s, to wait for another holder.

    Raises:
        BusyError: Another builder still holds it.
    """
    lease = Lease(database, assortment, seconds)
    done = threading.Event()
    _take(lease, wait, done)
    renewer = threading.Thread(target=_renew, args=(lease, done, seconds), name=f"lease-{assortment}", daemon=True)
    renewer.start()
    try:
        yield lease
    finally:
        done.set()
        renewer.join()
        lease.release()


def _take(lease: Lease, wait: float, done: threading.Event) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            return lease.take()
        except BusyError:
            if time.monotonic() >= deadline:
                raise
        done.wait(RETRY)


def _renew(lease: Lease, done: threading.Event, seconds: float) -> None:
    while not done.wait(seconds / RENEWALS_PER_LEASE):
        try:
            lease.check()
        except BusyError:
            return  # the builder finds out when it asks
        except SQLAlchemyError:
            log.warning("a builder's lease could not be renewed; trying again", exc_info=True)
