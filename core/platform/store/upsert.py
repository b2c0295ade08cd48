"""Writing a record that may be there already, in one statement that two writers cannot both win."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.platform.store.schema import Table


def put(session: Session, table: type[Table], rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> None:
    """Insert rows; those whose `keys` exist take over the other given values.

    Args:
        session: Session of a transaction.
        table: Table with a unique constraint over `keys`.
        rows: Rows with equal columns.
        keys: Names of the columns that identify a row.
    """
    if rows:
        insert = _insert(session, table).values(list(rows))
        changed = {name: insert.excluded[name] for name in rows[0] if name not in keys}
        session.execute(insert.on_conflict_do_update(index_elements=list(keys), set_=changed))


def put_once(session: Session, table: type[Table], rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[Any]:
    """Insert those rows whose `keys` do not exist yet.

    Args:
        session: Session of a transaction.
        table: Table with a unique constraint over `keys`.
        rows: Rows with equal columns.
        keys: Names of the columns that identify a row.

    Returns:
        The records that are new, in no certain order.
    """
    if not rows:
        return []
    insert = _insert(session, table).values(list(rows))
    return list(session.scalars(insert.on_conflict_do_nothing(index_elements=list(keys)).returning(table)))


def _insert(session: Session, table: type[Table]) -> Any:
    dialect = session.get_bind().dialect.name
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
