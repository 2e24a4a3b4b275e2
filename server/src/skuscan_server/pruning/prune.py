"""Pruning, step by step:

 1. note which publications were superseded long ago, and take their rows out of the database;
 2. take out records that no assortment has live: one that is wanted again is made again;
 3. find which files are needed (`history.py`), by every assortment together with the publications that are left;
 4. remove old metadata and targets, then blobs that nothing names, then what killed writers left.

A kill between any two removals leaves a repository that lacks nothing: pointers go before what they point to, and
nothing that is needed is touched.

A publication may name a blob that is there already, and so may an import. So rows and blobs are removed while no
builder holds a lock and nothing was published since step 3, in short writing transactions in which no other can begin:
a builder that comes later finds the blob gone and writes it again.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sqlalchemy import CursorResult, Exists, delete, exists, func, select
from sqlalchemy.orm import Session

from skuscan.bundle.manifest import manifest_files
from skuscan.proto.bundle_pb2 import Manifest
from skuscan.store.durable import DISK, TEMPORARY_PREFIX, Disk
from skuscan_server.builder.base import WORK_FOLDER
from skuscan_server.builder.publish import BLOBS
from skuscan_server.db.batches import batched
from skuscan_server.db.lock import MAINTENANCE, builder_lock
from skuscan_server.db.models import Assortment, BuilderLock, Display, LiveRecord, Publication, Record
from skuscan_server.db.session import Database
from skuscan_server.errors import BusyError
from skuscan_server.pruning.history import PublishedHistory

ASLEEP = 86_400.0  # s, for which a builder whose lease ran out may still wake up
REMOVED_AT_ONCE = 200  # blobs or rows in one transaction, while which other writers wait


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be.

    Attributes:
        publications, records: Rows of the database.
        metadata, targets, blobs, leftovers: Files; leftovers are those of killed writers.
        bytes: Of the files.
    """

    publications: int = 0
    records: int = 0
    metadata: int = 0
    targets: int = 0
    blobs: int = 0
    leftovers: int = 0
    bytes: int = 0


class Pruner:
    """Prunes one server.

    Args:
        database: The catalogue.
        published: The folder that devices download from.
        keep: s, for which a superseded version is kept, and any file that nothing names.
        lease: s, of the lock that is held meanwhile.
        disk: What removes.
    """

    def __init__(
        self,
        database: Database,
        published: Path,
        keep: float,
        lease: float,
        disk: Disk = DISK,
    ) -> None:
        self._database = database
        self._published = published
        self._keep = keep
        self._lease = lease
        self._disk = disk

    def run(self, *, dry_run: bool = False) -> Pruned:
        """Remove what nobody needs.

        Args:
            dry_run: Only count it.

        Raises:
            BusyError: A backup or a builder is at work, or something was published meanwhile. What was removed so far
                was not needed.
            PublishError: A published file is missing or damaged.
            StoreError: The disk failed.
        """
        with builder_lock(self._database, MAINTENANCE, self._lease):
            cutoff = time.time() - self._keep
            old = self._old_publications(cutoff)
            records = self._count_records() if dry_run else self._remove_rows(old)
            seen, needed = self._newest(), self._needed_by_rows(set(old))
            metadata: list[Path] = []
            targets: list[Path] = []
            for assortment in self._assortments():
                history = PublishedHistory(self._published, assortment)
                files = history.needed(cutoff)
                needed |= files.blobs
                for path in history.removable(files, cutoff):
                    (metadata if path.parent == history.metadata else targets).append(path)
            blobs, leftovers = self._unneeded_blobs(needed, cutoff), list(self._leftovers(cutoff))
            size = sum(path.stat().st_size for path in (*metadata, *targets, *blobs, *leftovers))
            if not dry_run:
                self._remove(metadata)
                self._remove(targets)
                self._remove_blobs(blobs, seen)
                self._remove(leftovers)
            return Pruned(len(old), records, len(metadata), len(targets), len(blobs), len(leftovers), size)

    def _old_publications(self, cutoff: float) -> list[tuple[str, int]]:
        """Assortment and generation of each that another one followed before `cutoff`."""
        query = select(Publication.assortment, Publication.generation, Publication.created_at)
        with self._database.read() as session:
            rows = session.execute(query.order_by(Publication.assortment, Publication.generation)).all()
        followed = ((row, follower) for row, follower in pairwise(rows) if row.assortment == follower.assortment)
        return [(row.assortment, row.generation) for row, follower in followed if follower.created_at < cutoff]

    def _count_records(self) -> int:
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(Record).where(~_is_live())) or 0

    def _remove_rows(self, publications: list[tuple[str, int]]) -> int:
        """Remove publications, then records: how many of these."""
        for batch in batched(publications, REMOVED_AT_ONCE):
            with self._alone() as session:
                for assortment, generation in batch:
                    session.execute(
                        delete(Publication).where(
                            Publication.assortment == assortment, Publication.generation == generation
                        )
                    )
        removed = 0
        while done := self._remove_some_records():
            removed += done
        return removed

    def _remove_some_records(self) -> int:
        some = select(Record.id).where(~_is_live()).limit(REMOVED_AT_ONCE)
        with self._alone() as session:
            result = session.execute(delete(Record).where(Record.id.in_(some.scalar_subquery())))
            assert isinstance(result, CursorResult)
            return result.rowcount

    def _newest(self) -> list[tuple[str, int]]:
        with self._database.read() as session:
            return _newest(session)

    def _needed_by_rows(self, old: set[tuple[str, int]]) -> set[bytes]:
        """The blobs of publications that are kept: the next delta builds on the last that the database knows."""
        needed: set[bytes] = set()
        query = select(Publication.assortment, Publication.generation, Publication.manifest)
        with self._database.read() as session:
            for assortment, generation, manifest in session.execute(query.execution_options(yield_per=REMOVED_AT_ONCE)):
                if (assortment, generation) not in old:
                    needed |= {ref.sha256 for ref in manifest_files(Manifest.FromString(manifest))}
        return needed

    def _assortments(self) -> list[str]:
        """Those that have a repository."""
        with self._database.read() as session:
            names = session.scalars(select(Assortment.name).order_by(Assortment.name)).all()
        return [name for name in names if (self._published / "tuf" / name / "metadata").is_dir()]

    def _unneeded_blobs(self, needed: set[bytes], cutoff: float) -> list[Path]:
        found: dict[bytes, Path] = {}
        for path in (self._published / BLOBS / "sha256").glob("*/*"):
            if not path.name.startswith(TEMPORARY_PREFIX) and path.stat().st_mtime < cutoff:
                digest = bytes.fromhex(path.name)
                if digest not in needed:
                    found[digest] = path
        with self._database.read() as session:
            for shown in session.scalars(select(Display.sha256).execution_options(yield_per=REMOVED_AT_ONCE)):
                found.pop(shown, None)
        return list(found.values())

    def _leftovers(self, cutoff: float) -> Iterator[Path]:
        blobs = (self._published / BLOBS / "sha256").glob(f"*/{TEMPORARY_PREFIX}*")
        work = (path for path in (self._published / WORK_FOLDER).rglob("*") if path.is_file())
        return (path for path in (*blobs, *work) if path.stat().st_mtime < cutoff)

    def _remove_blobs(self, paths: list[Path], seen: list[tuple[str, int]]) -> None:
        for batch in batched(paths, REMOVED_AT_ONCE):
            with self._alone() as session:
                if _newest(session) != seen:
                    raise BusyError("nothing is published while blobs are removed", "a publication", "try again later")
                digests = [bytes.fromhex(path.name) for path in batch]
                shown = set(session.scalars(select(Display.sha256).where(Display.sha256.in_(digests))))
                self._remove(path for path in batch if bytes.fromhex(path.name) not in shown)

    def _remove(self, paths: Iterable[Path]) -> None:
        for path in paths:
            self._disk.remove(path)

    @contextmanager
    def _alone(self) -> Iterator[Session]:
        """A writing session while nobody builds, and in which nobody begins to. Raises BusyError."""
        with self._database.write_alone(BuilderLock, Display, LiveRecord) as session:
            awake = BuilderLock.expires_at > time.time() - ASLEEP
            query = select(BuilderLock.assortment).where(
                BuilderLock.holder != "", BuilderLock.assortment != MAINTENANCE, awake
            )
            builder = session.scalars(query).first()
            if builder is not None:
                raise BusyError("nobody builds while the server is pruned", f"{builder} is being built", "try later")
            yield session


def _is_live() -> Exists:
    return exists().where(LiveRecord.record_id == Record.id)


def _newest(session: Session) -> list[tuple[str, int]]:
    """The newest generation of each assortment that the database knows of."""
    query = select(Publication.assortment, func.max(Publication.generation)).group_by(Publication.assortment)
    return sorted((row[0], row[1]) for row in session.execute(query))
