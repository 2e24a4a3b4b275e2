"""Copying the database while others use it, and putting a copy in place.

SQLite by its backup API (sqlite.org/backup.html): one consistent state, and nobody waits. PostgreSQL by its own
`pg_dump` and `pg_restore`, which must be of the server's version or later.
"""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.engine import URL, make_url

from skuscan_server.db.session import Database
from skuscan_server.errors import BackupError

SQLITE_FILE = "database.sqlite"
POSTGRESQL_FILE = "database.pgdump"
FILES = (SQLITE_FILE, POSTGRESQL_FILE)
_SAID = 300  # characters of what a failing program said


def file_name(url: str) -> str:
    """What a copy of this database is called. Raises BackupError when it is of a kind that cannot be copied."""
    kind = make_url(url).get_backend_name()
    if kind == "sqlite":
        return SQLITE_FILE
    if kind == "postgresql":
        return POSTGRESQL_FILE
    raise BackupError("a database is SQLite or PostgreSQL", kind)


def sqlite_path(url: str) -> Path:
    """The file of an SQLite database."""
    return Path(str(make_url(url).database))


def copy_database(url: str, out: Path) -> None:
    """Copy the database into a file. Raises BackupError."""
    if file_name(url) == POSTGRESQL_FILE:
        _postgresql("pg_dump", make_url(url), "--format=custom", "--no-owner", f"--file={out}")
        return
    try:
        with closing(sqlite3.connect(sqlite_path(url))) as source, closing(sqlite3.connect(out)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
    except sqlite3.Error as error:
        raise BackupError("the database can be copied", str(error)) from error


def load_postgresql(url: str, dump: Path) -> None:
    """Replace what is in a PostgreSQL database, in one transaction. Raises BackupError."""
    options = ("--no-owner", "--clean", "--if-exists", "--exit-on-error", "--single-transaction")
    _postgresql("pg_restore", make_url(url), *options, str(dump))


def is_empty(url: str) -> bool:
    """Whether there is no database of a server yet."""
    if file_name(url) == SQLITE_FILE:
        return not sqlite_path(url).exists()
    database = Database(url)
    try:
        return not inspect(database.engine).get_table_names()
    finally:
        database.close()


def _postgresql(program: str, url: URL, *arguments: str) -> None:
    path = shutil.which(program)
    if path is None:
        raise BackupError(f"a PostgreSQL database is copied by {program}", "it is not installed", "install it")
    plain = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    secret = {"PGPASSWORD": str(url.password)} if url.password else {}  # not where `ps` shows it
    done = subprocess.run(
        [path, f"--dbname={plain}", *arguments], env={**os.environ, **secret}, capture_output=True, text=True
    )
    if done.returncode:
        raise BackupError(f"{program} copies the database", done.stderr.strip()[-_SAID:])
