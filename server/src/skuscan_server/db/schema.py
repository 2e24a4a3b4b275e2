"""Creating and upgrading the tables, with Alembic and the migrations in this package."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import OperationalError

from skuscan.errors import ConfigError
from skuscan_server.db.session import Database

SCRIPTS = "skuscan_server:migrations"


def upgrade(database: Database) -> None:
    """Bring the tables to the newest revision; creates them in an empty database."""
    config = _config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check(database: Database) -> None:
    """Raises ConfigError when the tables are not at this program's revision."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    try:
        with database.engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    except OperationalError as error:
        raise ConfigError("the database can be opened", str(error.orig), "run `skuscan-server init`") from error
    if current != head:
        raise ConfigError(
            f"the database is at revision {head}", f"revision {current or 'none'}", "run `skuscan-server init`"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    config.set_main_option("path_separator", "os")
    return config
