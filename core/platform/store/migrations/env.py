"""Alembic's entry point: runs the migrations on the connection that `open_store` hands over."""

from alembic import context
from sqlalchemy import text

from core.platform.store.schema import Table

# Any number that nobody else uses: processes that start together take turns.
_LOCK = 5_731_908


def run() -> None:
    """Bring the database of the given connection up to date."""
    attributes = context.config.attributes
    connection = attributes["connection"]
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    context.configure(
        connection,
        target_metadata=Table.metadata,
        render_as_batch=True,
        version_table=attributes["version_table"],
    )
    with context.begin_transaction():
        context.run_migrations()


run()
