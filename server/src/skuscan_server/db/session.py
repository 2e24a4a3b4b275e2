"""Opening the database: SQLite by default, PostgreSQL by URL.

SQLite runs with a write-ahead log (readers and one writer do not wait for each other), foreign keys, and a busy
timeout. A writing session begins with BEGIN IMMEDIATE: a transaction that reads first and writes later would otherwise
fail at once with "database is locked" when another writer came between (sqlite.org/isolation.html).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import NullPool

from skuscan.errors import ConfigError

BUSY_TIMEOUT = 30.0  # s, that a writer waits for another one
WRITES = "skuscan_writes"  # execution option of a connection that is going to write


class Database:
    """An engine and two kinds of sessions. Safe in any thread; not to be shared over a fork."""

    def __init__(self, url: str) -> None:
        """Prepare; nothing is opened yet. Raises ConfigError when the URL is not one."""
        try:
            parsed = make_url(url)
            arguments: dict[str, Any] = {}
            if parsed.get_backend_name() == "sqlite":
                # Opening SQLite costs less than a thread that waits for a pooled connection.
                arguments = {"poolclass": NullPool, "connect_args": {"timeout": BUSY_TIMEOUT}}
            self.engine: Engine = create_engine(parsed, **arguments)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise ConfigError("the database URL is one that SQLAlchemy knows", str(error)) from error
        self._writer = self.engine.execution_options(**{WRITES: True})
        if parsed.get_backend_name() == "sqlite":
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that is rolled back at its end."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that is committed at its end, or rolled back when the block raises."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def write_alone(self, *tables: type[DeclarativeBase]) -> Iterator[Session]:
        """As `write`, and nobody else changes these tables meanwhile. SQLite has one writer at a time in any case."""
        with self.write() as session:
            if self.engine.dialect.name == "postgresql":
                names = ", ".join(table.__tablename__ for table in tables)
                session.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
            yield session

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def _configure_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says, not where the driver guesses
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a commit survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
