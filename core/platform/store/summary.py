"""What a store holds, table by table."""

from alembic.migration import MigrationContext
from sqlalchemy import Table as SqlTable
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.platform.store.schema import Table

# A table stands behind those that its rows refer to.
TABLES: tuple[SqlTable, ...] = tuple(Table.metadata.sorted_tables)


def revision(session: Session) -> str | None:
    """Name of the last migration that the database went through."""
    return MigrationContext.configure(session.connection()).get_current_revision()


def row_counts(session: Session) -> dict[str, int]:
    """Number of rows of each table, by its name."""
    return {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES}
