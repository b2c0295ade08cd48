"""The file of a backup: a zip archive with the rows of each table, and `backup.json`, which says what must be there."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal
from zipfile import BadZipFile, ZipFile

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Table as SqlTable

from core.platform.store.row_format import RowFormat
from core.platform.store.summary import tables
from core.util.archives import DAMAGE, LimitedReads, entry_fault
from core.util.errors import SteerError

CONTENTS = "backup.json"
GIB = 1 << 30
MAX_UNPACKED = 64 * GIB
MAX_LINE = GIB >> 4
_MAX_CONTENTS = 1 << 20
_PIECE = 1 << 20
# What reading an entry raises when its bytes are damaged, and what a line raises that is no row.
_UNREADABLE = (BadZipFile, EOFError, zlib.error, ValueError, RecursionError)


class TableFile(BaseModel):
    """The rows of one table.

    Attributes:
        columns: Names of the columns, in the order of the values of a line.
        rows: Number of lines of the file.
        sha256: Hash of the file's bytes, in hexadecimal.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: list[str]
    rows: int = Field(ge=0)
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Contents(BaseModel):
    """What a backup consists of.

    Attributes:
        format: Number of the file's format.
        revision: Revision of the store's tables.
        time: Moment of the snapshot.
        tables: Rows of each table, by its name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    revision: str
    time: AwareDatetime
    tables: dict[str, TableFile]

    @property
    def rows(self) -> int:
        """Number of rows of all tables."""
        return sum(table.rows for table in self.tables.values())


def entry_name(table: SqlTable) -> str:
    """Name of the file with the rows of a table."""
    return f"{table.name}.jsonl"


class BackupFile:
    """An open backup whose directory and contents have been checked, though not yet its rows."""

    def __init__(self, file: Path, archive: ZipFile) -> None:
        self._file, self._archive = file, archive
        _check_entries(file, archive)
        self.contents = _read_contents(file, archive)

    def verify(self) -> None:
        """Make sure that the rows are those that were written.

        Raises:
            SteerError: They are not.
        """
        for table in tables():
            name, listed = entry_name(table), self.contents.tables[table.name]
            digest, rows = sha256(), 0
            try:
                with self._archive.open(name) as stream:
                    while piece := stream.read(_PIECE):
                        digest.update(piece)
                        rows += piece.count(b"\n")
            except _UNREADABLE as error:
                raise SteerError(f"{self._file} is damaged: {name}: {error}") from error
            if (digest.hexdigest(), rows) != (listed.sha256, listed.rows):
                raise SteerError(f"{self._file} is damaged: {name} is not what {CONTENTS} says that it is")

    def rows(self, table: SqlTable) -> Iterator[dict[str, Any]]:
        """The rows of a table, by the names of their columns.

        Raises:
            SteerError: One cannot be read.
        """
        form, number = RowFormat(table), 0
        try:
            with self._archive.open(entry_name(table)) as stream:
                while line := stream.readline(MAX_LINE + 1):
                    number += 1
                    if len(line) > MAX_LINE:
                        raise ValueError(f"it is longer than {MAX_LINE} bytes")
                    yield form.values(line)
        except _UNREADABLE as error:
            raise SteerError(f"{self._file} is damaged: {entry_name(table)}, line {number}: {error}") from error


@contextmanager
def open_backup(file: Path) -> Iterator[BackupFile]:
    """Open a backup that anybody may have written; nothing of it is unpacked to disk.

    Raises:
        SteerError: It is none; the message says why.
    """
    if not file.is_file():
        raise SteerError(f"there is no file {file}")
    with LimitedReads(file.open("rb", buffering=0)) as stream:
        try:
            archive = ZipFile(stream)
            backup = BackupFile(file, archive)
        except DAMAGE as error:
            raise SteerError(f"{file} is no whole backup: {error}") from error
        with archive:
            yield backup


def _check_entries(file: Path, archive: ZipFile) -> None:
    entries = archive.infolist()
    expected = sorted([CONTENTS, *map(entry_name, tables())])
    if sorted(entry.filename for entry in entries) != expected:
        raise SteerError(f"{file} is no backup that this Steer reads: it must hold {', '.join(expected)}, nothing else")
    for entry in entries:
        if fault := entry_fault(entry):
            raise SteerError(f"{file} is refused: its entry {entry.filename} {fault}")
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise SteerError(f"{file} is refused: it would unpack to more than {MAX_UNPACKED // GIB} GiB")


def _read_contents(file: Path, archive: ZipFile) -> Contents:
    if archive.getinfo(CONTENTS).file_size > _MAX_CONTENTS:
        raise SteerError(f"{file} is refused: its {CONTENTS} is larger than {_MAX_CONTENTS} bytes")
    try:
        contents = Contents.model_validate_json(archive.read(CONTENTS))
    except ValidationError as error:
        found = error.errors()[0]
        raise SteerError(
            f"{file} is no backup that this Steer reads: {'.'.join(map(str, found['loc']))}: {found['msg']}"
        ) from error
    if {name: listed.columns for name, listed in contents.tables.items()} != {
        table.name: list(table.columns.keys()) for table in tables()
    }:
        raise SteerError(f"{file} is no backup that this Steer reads: it has other tables or columns")
    return contents
