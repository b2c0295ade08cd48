"""Bringing the tables of a store up to date, those of the platform and of each installed app."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from core.platform.store.app_tables import migrations
from core.util.errors import SteerError

_ENVIRONMENT = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> None:
    """Take every history of migrations to its newest revision, all of them or none.

    Raises:
        SteerError: A newer Steer has been here.
    """
    with engine.connect() as connection, _rows_kept(connection), connection.begin():
        for version_table, folder in migrations().items():
            config = alembic_config(connection, version_table, folder)
            _check_known(connection, config)
            command.upgrade(config, "head")


def is_current(connection: Connection) -> bool:
    """Whether `upgrade` would change nothing.

    Raises:
        SteerError: A newer Steer has been here.
    """
    configs = [alembic_config(connection, table, folder) for table, folder in migrations().items()]
    for config in configs:
        _check_known(connection, config)
    return all(_heads(connection, each) == set(ScriptDirectory.from_config(each).get_heads()) for each in configs)


@contextmanager
def _rows_kept(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by making it anew; rows that refer to the old one would be deleted with it."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys = OFF")  # has no effect within a transaction
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def alembic_config(connection: Connection, version_table: str, folder: Path) -> Config:
    """Alembic's configuration for one history of migrations.

    Args:
        connection: Connection in a transaction.
        version_table: Name of the table that says which revision the database has.
        folder: Folder of the migrations.
    """
    config = Config(attributes={"connection": connection, "version_table": version_table})
    config.set_main_option("script_location", str(_ENVIRONMENT))
    config.set_main_option("version_locations", str(folder))
    config.set_main_option("path_separator", "newline")
    return config


def _check_known(connection: Connection, config: Config) -> None:
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    if unknown := _heads(connection, config) - set(known):
        raise SteerError(
            f"the store {connection.engine.url.render_as_string(hide_password=True)} is of a newer version of Steer: "
            f"its tables are of revision {', '.join(sorted(unknown))}, and this version knows those up to {known[0]}. "
            "Run the newer version, or restore the backup that this one made, into an empty store"
        )


def _heads(connection: Connection, config: Config) -> set[str]:
    options = {"version_table": config.attributes["version_table"]}
    return set(MigrationContext.configure(connection, opts=options).get_current_heads())
