from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from skuscan.errors import ConfigError
from skuscan_server.db import schema
from skuscan_server.db.models import Base
from skuscan_server.db.session import Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'test.db'}")


def test_the_migrations_make_the_tables_that_the_models_describe(database: Database) -> None:
    schema.upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_an_upgrade_of_the_newest_tables_changes_nothing(database: Database) -> None:
    schema.upgrade(database)
    schema.upgrade(database)
    schema.check(database)


def test_a_database_that_was_not_set_up_is_refused(database: Database) -> None:
    with pytest.raises(ConfigError, match="revision none; run `skuscan-server init`"):
        schema.check(database)


def test_sqlite_keeps_foreign_keys_and_a_write_ahead_log(database: Database) -> None:
    with database.read() as session:
        assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"


def test_an_url_of_no_database_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="database URL"):
        Database("nonsense")
