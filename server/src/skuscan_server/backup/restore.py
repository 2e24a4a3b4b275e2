"""Restoring a server from a backup, step by step:

 1. refuse a folder that holds a server already, unless it is to be replaced;
 2. unpack beside it, and compare every file with the SHA-256 that was noted;
 3. bring the database to this program's revision, free its locks;
 4. sign what it has published anew, above every number that devices may have seen (`numbers.py`);
 5. move what was there aside, and put what was unpacked in its place, the database last.

Before 5, nothing of what was there is changed. (A PostgreSQL database is the exception: it is replaced in 3, in one
transaction.) While 5 is under way a file says so, and a server does not start: restore again.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from skuscan.errors import StoreError
from skuscan.store.durable import DISK
from skuscan_server.backup import database as databases
from skuscan_server.backup.archive import KEYS_FOLDER, Progress, unpack
from skuscan_server.backup.numbers import Numbers, Renumbered, RestoredRepository, numbers_in, renumber
from skuscan_server.backup.parts import PUBLISHED, Parts
from skuscan_server.catalogue.products import audit
from skuscan_server.config import ServerConfig
from skuscan_server.db import schema
from skuscan_server.db.models import BuilderLock
from skuscan_server.db.session import Database
from skuscan_server.errors import BackupError
from skuscan_server.keys import KeyFolder
from skuscan_server.services import RESTORING_FILE

STAGED = ".restore-"  # how names begin of what is unpacked beside its place
_LOG_SUFFIXES = ("-wal", "-shm")  # of SQLite's files beside a database


@dataclass(frozen=True)
class Restored:
    """What a restore came to.

    Attributes:
        assortments: Each of them, with its new generation.
        replaced: Where what was there before is now.
    """

    assortments: tuple[Renumbered, ...]
    replaced: tuple[Path, ...]


class Restore:
    """Restores a server.

    Args:
        config: Where it goes.
        actor: Who does it, for the audit log.
        progress: Told of files.
    """

    def __init__(self, config: ServerConfig, actor: str, progress: Progress = lambda done, total: None) -> None:
        self._config = config
        self._actor = actor
        self._progress = progress
        self._parts = Parts.of(config)
        self._staged = Parts({name: _beside(path) for name, path in self._parts.folders.items()})
        self._copy = databases.file_name(config.url)
        self._is_sqlite = self._copy == databases.SQLITE_FILE
        place = databases.sqlite_path(config.url) if self._is_sqlite else config.data_folder / self._copy
        self._database_path, self._staged_database = place, _beside(place)

    def run(self, archive: Path, *, min_version: int = 0, replace: bool = False) -> Restored:
        """Do it. The server does not run meanwhile.

        Args:
            archive: What `back_up` wrote.
            min_version: The lowest number that the next generation and metadata may have.
            replace: Take the place of a server that is there; its files are kept, under other names.

        Raises:
            BackupError: The archive is none, is cut or damaged, or of another kind of database; or there is a server.
            ConfigError: An online key is not in the backup.
            StoreError: The disk failed.
        """
        self._check_free(replace)
        self._clear()
        DISK.make_folder(self._config.data_folder.absolute())
        try:
            unpack(archive, self._place, self._progress)
            if not self._staged_database.exists():
                raise BackupError(f"a backup of such a server holds {self._copy}", f"none in {archive}")
            numbers = self._numbers_before()
            assortments = tuple(self._renumber(numbers, min_version, archive))
            return Restored(assortments, tuple(self._put_in_place()))
        finally:
            with suppress(StoreError):
                self._clear()

    def _check_free(self, replace: bool) -> None:
        there = [str(self._parts.path(name)) for name in self._parts.entries()]
        if not databases.is_empty(self._config.url):
            there.append(str(self._database_path) if self._is_sqlite else "a database with tables")
        if there and not replace:
            raise BackupError(
                "a restore fills a folder without a server",
                f"{there[0]} is there",
                "stop the server, and say --replace: what is there is moved aside",
            )

    def _place(self, name: str) -> Path | None:
        if name in databases.FILES and name != self._copy:
            raise BackupError(f"a backup for this server's kind of database holds {self._copy}", name)
        return self._staged_database if name == self._copy else self._staged.place(name)

    def _numbers_before(self) -> dict[str, Numbers]:
        """The numbers of the server that is replaced, as far as it can be read."""
        if databases.is_empty(self._config.url):
            return {}
        database = Database(self._config.url)
        try:
            return numbers_in(database)
        except SQLAlchemyError:  # of another revision, or damaged; its published files are still looked at
            return {}
        finally:
            database.close()

    def _renumber(self, before: dict[str, Numbers], min_version: int, archive: Path) -> Iterator[Renumbered]:
        if not self._is_sqlite:
            databases.load_postgresql(self._config.url, self._staged_database)
        database = Database(f"sqlite:///{self._staged_database.absolute()}" if self._is_sqlite else self._config.url)
        try:
            schema.upgrade(database)
            with database.write() as session:
                session.execute(delete(BuilderLock))  # of those who worked while it was copied
                audit(session, self._actor, "restore", archive.name)
            for assortment, numbers in numbers_in(database).items():
                old, new = (self._repository(parts, assortment) for parts in (self._parts, self._staged))
                if not new.metadata.is_dir():
                    continue
                known = before.get(assortment, Numbers())
                numbers.add(min_version - 1, known.highest, old.numbers(), new.numbers())
                numbers.unbelieved |= known.unbelieved
                yield renumber(database, new, assortment, numbers)
        finally:
            database.close()

    def _repository(self, parts: Parts, assortment: str) -> RestoredRepository:
        keys = KeyFolder(self._staged.folders[KEYS_FOLDER], self._config.offline_keys_folder)
        return RestoredRepository(parts.folders[PUBLISHED], assortment, keys)

    def _put_in_place(self) -> list[Path]:
        """Swap: where what was there is now."""
        marker = self._config.data_folder / RESTORING_FILE
        suffix = time.strftime(".replaced-%Y%m%dT%H%M%SZ-", time.gmtime()) + secrets.token_hex(2)
        DISK.write_file(marker, b"")
        aside = []
        for path in (*map(self._parts.path, self._parts.entries()), self._database_path):
            if path.exists():
                aside.append(path.with_name(path.name + suffix))
                DISK.rename(path, aside[-1])
        for log in _LOG_SUFFIXES:
            path = self._database_path.with_name(self._database_path.name + log)
            if path.exists():
                DISK.rename(path, path.with_name(self._database_path.name + suffix + log))
        for name in self._staged.entries():
            DISK.make_folder(self._parts.path(name).parent.absolute())
            DISK.rename(self._staged.path(name), self._parts.path(name))
        if self._is_sqlite:
            DISK.rename(self._staged_database, self._database_path)
        DISK.remove(marker)
        return aside

    def _clear(self) -> None:
        """Remove what this restore unpacked, or one that was killed."""
        for path in self._staged.folders.values():
            DISK.remove_folder(path)
        for suffix in ("", *_LOG_SUFFIXES):
            DISK.remove(self._staged_database.with_name(self._staged_database.name + suffix))


def _beside(path: Path) -> Path:
    return path.with_name(f"{STAGED}{path.name}")
