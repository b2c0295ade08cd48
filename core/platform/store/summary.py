"""A summary of a store: its tables, their revision and their numbers of rows."""

from alembic.migration import MigrationContext
from sqlalchemy import Table as SqlTable
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.platform.store.app_tables import migrations
from core.platform.store.schema import Table


def tables() -> list[SqlTable]:
    """Every table of the platform and of the installed apps, each behind those that its rows refer to."""
    migrations()  # makes the apps' tables known
    return Table.metadata.sorted_tables


def revision(session: Session) -> str:
    """Names of the last migrations that the database went through: the platform's, then each app's."""
    connection = session.connection()
    found = {
        name.removeprefix("alembic_version").removeprefix("_"): MigrationContext.configure(
            connection, opts={"version_table": name}
        ).get_current_revision()
        for name in migrations()
    }
    return " ".join(f"{app}:{revision}" if app else str(revision) for app, revision in found.items())


def row_counts(session: Session) -> dict[str, int]:
    """Number of rows of each table, by its name."""
    return {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables()}
