"""Backup of a whole store in one file that either engine takes back."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from sqlalchemy import Table as SqlTable
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.platform.store.backup_file import CONTENTS, GIB, MAX_LINE, MAX_UNPACKED, Contents, TableFile, entry_name
from core.platform.store.database import Store
from core.platform.store.row_format import RowFormat
from core.platform.store.schema import now
from core.platform.store.summary import revision, row_counts, tables
from core.util.errors import SteerError
from core.util.files import replace_file

# Called with the number of rows that are done, and of all rows.
OnProgress = Callable[[int, int], None]
PORTION = 500  # rows in memory at once


def backup(store: Store, file: Path, on_progress: OnProgress) -> Contents:
    """Write every row of a store into one file, as they were at one moment, while others go on writing.

    The file is there whole or not at all. It holds what people wrote and the hashes of their passwords: only its owner
    can read it.

    Args:
        store: Store to back up.
        file: File to write; what was there before is replaced.
        on_progress: Callback for (rows done, rows in all) after each portion.

    Returns:
        What the file holds.

    Raises:
        SteerError: The disk is full, or the store is too large for such a file.
        UnavailableError: The database does not answer.
    """
    with replace_file(file) as temporary, store.reading() as session:
        temporary.touch(mode=0o600)
        _freeze(session)
        writer = _Writer(session, on_progress)
        with ZipFile(temporary, "w", ZIP_DEFLATED) as archive:
            written = {table.name: writer.write(archive, table) for table in tables()}
            contents = Contents(revision=revision(session), time=now(), tables=written)
            archive.writestr(CONTENTS, contents.model_dump_json(indent=2))
    return contents


def _freeze(session: Session) -> None:
    """Show the session one moment of the store from its first query on, as SQLite's transactions do by themselves."""
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True})


class _Writer:
    def __init__(self, session: Session, on_progress: OnProgress) -> None:
        self._session, self._on_progress = session, on_progress
        self._done, self._total, self._bytes = 0, sum(row_counts(session).values()), 0

    def write(self, archive: ZipFile, table: SqlTable) -> TableFile:
        form, digest, rows = RowFormat(table), sha256(), 0
        every = select(*table.columns).order_by(*table.primary_key.columns)
        found = self._session.execute(every, execution_options={"yield_per": PORTION})
        with archive.open(entry_name(table), "w", force_zip64=True) as stream:
            for portion in found.partitions():
                lines = [form.line(row) for row in portion]
                self._check_size(table, lines)
                digest.update(text := b"".join(lines))
                stream.write(text)
                rows += len(lines)
                self._done += len(lines)
                self._on_progress(self._done, self._total)
        return TableFile(columns=[column.name for column in form.columns], rows=rows, sha256=digest.hexdigest())

    def _check_size(self, table: SqlTable, lines: list[bytes]) -> None:
        """Write nothing that `core.platform.store.backup_file` would refuse to read."""
        self._bytes += sum(map(len, lines))
        if self._bytes > MAX_UNPACKED or max(map(len, lines)) > MAX_LINE:
            raise SteerError(
                f"{table.name} has a row of more than {MAX_LINE} bytes, or the store is larger than "
                f"{MAX_UNPACKED // GIB} GiB; back it up with the database's own tools (pg_dump, sqlite3 .backup)"
            )
