"""Backing the server up while it runs, step by step:

 1. take the maintenance lock, so that nothing is pruned meanwhile;
 2. copy the database, in one consistent state;
 3. read each assortment's metadata under its repository's lock;
 4. write all of it, and every file that is there now, into one tar; it appears whole, or not at all.

Nobody waits, and builders may work. What a publication between 2 and 3 signed is in the backup, and the database lags
behind it, as after a kill (`builder/publish.py`): the next publication is made from the older state and has a higher
number. Files that the database names were written before it named them, so they are there in 4.

The root keys are left out: they belong on a medium of their own, and a thief of backups must not find them.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from skuscan.errors import StoreError
from skuscan.store.durable import DISK, PRIVATE_MODE, TEMPORARY_PREFIX
from skuscan_server.backup.archive import Member, Progress, write_archive
from skuscan_server.backup.database import copy_database, file_name
from skuscan_server.backup.parts import PUBLISHED, Parts
from skuscan_server.db.lock import MAINTENANCE, builder_lock
from skuscan_server.db.models import Assortment
from skuscan_server.errors import BackupError
from skuscan_server.services import Services

SIGNER_WAIT = 30.0  # s, for somebody who is signing an assortment
_RETRY = 0.1  # s
_BLOB = re.compile(r"(?:pictures|published/blobs)/sha256/[0-9a-f]{2}/([0-9a-f]{64})")


@dataclass(frozen=True)
class BackedUp:
    """A backup that was written.

    Attributes:
        files: How many files are in it.
        bytes: Of the tar.
        damaged: Names of blobs and pictures in it that are not what their names say: they are damaged on the server.
    """

    files: int
    bytes: int
    damaged: tuple[str, ...]


def back_up(services: Services, out: Path, progress: Progress = lambda done, total: None) -> BackedUp:
    """Write the whole server into a file, readable by its owner only.

    Args:
        services: The server's; it may be running.
        out: A new file.
        progress: Told of files.

    Raises:
        BackupError: There is something at `out`, or a part cannot be copied.
        BusyError: Another backup is being made, or the server is being pruned.
        StoreError: The disk failed, or somebody signs for long. Nothing is left at `out`.
    """
    if out.exists() or not out.absolute().parent.is_dir():
        found = f"{out} is there already" if out.exists() else f"no folder {out.absolute().parent}"
        raise BackupError("a backup gets a new name in a folder that is there", found, "choose another name")
    config, digests = services.config, dict[str, str]()
    copy = out.absolute().with_name(TEMPORARY_PREFIX + secrets.token_hex(8))
    with builder_lock(services.database, MAINTENANCE, config.lease):
        try:
            copy_database(config.url, copy)
            members = [
                Member(file_name(config.url), copy),
                *_metadata(services),
                *(Member(name, path) for name, path in Parts.of(config).files()),
            ]
            ref = DISK.write_file(out, write_archive(_told(members, progress), digests), PRIVATE_MODE)
        finally:
            DISK.remove(copy)
    damaged = (name for name, digest in digests.items() if (blob := _BLOB.fullmatch(name)) and blob[1] != digest)
    return BackedUp(len(digests), ref.length, tuple(damaged))


def _metadata(services: Services) -> Iterator[Member]:
    with services.database.read() as session:
        assortments = session.scalars(select(Assortment.name).order_by(Assortment.name)).all()
    for assortment in assortments:
        repository = services.repository(assortment)
        if repository.metadata.is_dir():
            deadline = time.monotonic() + SIGNER_WAIT
            while (files := _try(repository.metadata_files, deadline)) is None:
                time.sleep(_RETRY)
            for name, data in files.items():
                yield Member(f"{PUBLISHED}/tuf/{assortment}/metadata/{name}", data)


def _try(read: Callable[[], dict[str, bytes]], deadline: float) -> dict[str, bytes] | None:
    """What was read; None: somebody is signing. Raises StoreError when that lasts beyond the deadline."""
    try:
        return read()
    except StoreError:
        if time.monotonic() > deadline:
            raise
        return None


def _told(members: list[Member], progress: Progress) -> Iterator[Member]:
    for done, member in enumerate(members):
        progress(done, len(members))
        yield member
    progress(len(members), len(members))
