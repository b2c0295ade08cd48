"""Restoring a backup into a store, whole or not at all."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Table as SqlTable
from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from core.platform.store.backup import PORTION, OnProgress
from core.platform.store.backup_file import BackupFile, Contents, open_backup
from core.platform.store.database import Store
from core.platform.store.summary import revision, row_counts, tables
from core.util.errors import SteerError

_LOCK_SECONDS = 30


def restore(store: Store, file: Path, on_progress: OnProgress, *, replace: bool = False) -> Contents:
    """Fill a store with the rows of a backup, whichever engine that was made on.

    Everything happens in one transaction: whatever goes wrong, the store is as it was. Others wait meanwhile.

    Args:
        store: Store to fill.
        file: Backup, which anybody may have written.
        on_progress: Callback for (rows done, rows in all) after each portion.
        replace: Whether to remove first what the store holds; otherwise it must be empty.

    Returns:
        What the store holds now.

    Raises:
        SteerError: The file is no whole backup of this version of Steer, or the store is not empty.
        UnavailableError: The database does not answer.
    """
    with open_backup(file) as source:
        with store.reading() as session:
            _check_revision(file, source.contents, revision(session))
            _check_empty(session, replace)  # before the file is read from start to end
        source.verify()
        with store.transaction() as session:
            _lock(session)
            _check_empty(session, replace)
            _clear(session)
            done = 0
            for table in tables():
                for count in _fill(session, table, source):
                    done += count
                    on_progress(done, source.contents.rows)
                _continue_ids(session, table)
        return source.contents


def _check_revision(file: Path, contents: Contents, ours: str | None) -> None:
    if contents.revision != ours:
        raise SteerError(
            f"{file} was made by another version of Steer: its tables are of revision {contents.revision}, and those "
            f"of this version of {ours}. Restore it with the version that made it; the newer one of the two brings the "
            "tables of a store up to date when it opens it"
        )


def _check_empty(session: Session, replace: bool) -> None:
    held = {name: rows for name, rows in row_counts(session).items() if rows}
    if held and not replace:
        raise SteerError(
            "the store is not empty: it holds "
            + ", ".join(f"{rows} {name}" for name, rows in held.items())
            + ". Restore into an empty one, or replace all of that with --replace"
        )


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _names() -> str:
    return ", ".join(table.name for table in tables())


def _lock(session: Session) -> None:
    """Keep others from writing until the end of the transaction, as SQLite's do anyway."""
    if _is_postgresql(session):
        session.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
        session.execute(text(f"LOCK TABLE {_names()} IN ACCESS EXCLUSIVE MODE"))


def _clear(session: Session) -> None:
    if _is_postgresql(session):
        # DELETE would look for the references to each row among all rows that were deleted before it.
        session.execute(text(f"TRUNCATE {_names()}"))
    else:
        for table in reversed(tables()):
            session.execute(delete(table))


def _fill(session: Session, table: SqlTable, source: BackupFile) -> Iterator[int]:
    """Insert the rows of a table; the number of them, portion by portion."""
    rows = source.rows(table)
    while portion := list(islice(rows, PORTION)):
        _insert(session, table, portion)
        yield len(portion)


def _insert(session: Session, table: SqlTable, rows: list[dict[str, Any]]) -> None:
    try:
        session.execute(insert(table), rows)
    except (IntegrityError, DataError, OverflowError, UnicodeError) as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        raise SteerError(
            f"the store cannot take the {table.name} of the backup, and is as it was before: {reason}"
        ) from error


def _continue_ids(session: Session, table: SqlTable) -> None:
    """Number new rows behind those that were restored; SQLite looks for the largest id by itself."""
    column = table.autoincrement_column
    if column is None or not _is_postgresql(session):
        return
    sequence = session.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
    largest = session.scalar(select(func.max(column))) or 0
    # Unlike `setval`, this is undone together with the rest.
    session.execute(text(f"ALTER SEQUENCE {sequence} RESTART WITH {largest + 1}"))
