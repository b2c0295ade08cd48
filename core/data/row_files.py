"""Rows of CSV, TSV, JSON, JSON Lines and Parquet files, each with its place in the file."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from core.data.splits import Split
from core.util.errors import SteerError

NOT_UTF8 = "not UTF-8 text; save the file as UTF-8"
_DELIMITERS = ",;\t"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Record:
    """One row as a source has it.

    Attributes:
        place: Place where it stands, such as `line 3`.
        values: Values by column; None where a cell is empty.
        problem: Reason why nothing of the row can be read; empty where it can.
        has_header: Whether every row of its source has the same columns.
        part: Name of the file in a folder, or of the part of a data set, that it is from.
        split: Split that this part is named after, if any.
    """

    place: str
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    has_header: bool = True
    part: str = ""
    split: Split | None = None


def file_records(path: Path) -> Iterator[Record]:
    """The rows of a file, by its suffix.

    Raises:
        SteerError: The file is missing or cannot be read at all.
    """
    if not path.is_file():
        raise SteerError(f"there is no file or folder {path}")
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return _delimited(path)
    if suffix in (".jsonl", ".ndjson", ".json"):
        return _json(path)
    if suffix == ".parquet":
        return _parquet(path)
    raise SteerError(f"cannot tell what {path} is; tables are files that end in {', '.join(SUFFIXES)}")


SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")


def _delimited(path: Path) -> Iterator[Record]:
    with _opened(path) as stream:
        first = stream.readline()
        stream.seek(0)
        # Spreadsheets of half of Europe write semicolons into what they call comma-separated values.
        delimiter = "\t" if path.suffix.lower() == ".tsv" else max(_DELIMITERS, key=first.count)
        reader = csv.reader(stream, delimiter=delimiter)
        header: list[str] | None = None
        ended = 0
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield Record(f"line {ended + 1}", problem=f"not CSV ({error})")
                ended = reader.line_num
                continue
            if cells is None:
                return
            begun, ended = ended + 1, reader.line_num
            if header is None:
                header = _header(path, cells)
            elif cells:
                yield _row_of_cells(f"line {begun}", header, cells)


def _header(path: Path, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SteerError(f"{path} has two columns called {twice!r}; rename one of them")
    return names


def _row_of_cells(place: str, header: list[str], cells: list[str]) -> Record:
    if not _is_utf8("".join(cells)):
        return Record(place, problem=NOT_UTF8)
    if len(cells) > len(header):
        return Record(
            place,
            problem=f"{len(cells)} cells under {len(header)} columns; put quotes around a cell that holds a delimiter",
        )
    padded = [*cells, *[""] * (len(header) - len(cells))]
    return Record(place, {name: cell or None for name, cell in zip(header, padded, strict=True)})


def _json(path: Path) -> Iterator[Record]:
    with _opened(path) as stream:
        first = next((line for line in stream if line.strip()), "")
        stream.seek(0)
        if first.lstrip().startswith("["):
            yield from _array(path, stream)
            return
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield _row_of_json(f"line {number}", line)


def _array(path: Path, stream: TextIO) -> Iterator[Record]:
    text = stream.read()
    if not _is_utf8(text):
        raise SteerError(f"{path} is {NOT_UTF8}")
    try:
        rows = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise SteerError(f"{path} is not JSON ({error})") from error
    for number, row in enumerate(rows, start=1):
        yield _row_of_object(f"row {number}", row)


def _row_of_json(place: str, line: str) -> Record:
    if not _is_utf8(line):
        return Record(place, problem=NOT_UTF8)
    try:
        return _row_of_object(place, json.loads(line))
    except json.JSONDecodeError as error:
        return Record(place, problem=f"not JSON ({error.msg})")
    except (RecursionError, ValueError):  # nested without end, or a number of thousands of digits
        return Record(place, problem="not JSON that can be read")


def _row_of_object(place: str, row: Any) -> Record:
    if not isinstance(row, dict):
        return Record(place, problem='not a JSON object such as {"text": "..."}')
    # An escape such as \ud800 may stand for half a character, which nothing can store.
    if not _is_utf8(json.dumps(row, ensure_ascii=False)):
        return Record(place, problem=NOT_UTF8)
    return Record(place, row, has_header=False)


def _parquet(path: Path) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield from numbered(row for batch in file.iter_batches() for row in batch.to_pylist())
    except (pa.ArrowException, OSError) as error:
        raise SteerError(f"{path} is not a Parquet file that can be read: {error}") from error


def numbered(rows: Iterable[Mapping[str, Any]]) -> Iterator[Record]:
    """Rows of what is no text file, counted from 1; what pandas calls missing is missing."""
    import pandas as pd

    def is_missing(value: Any) -> bool:
        return value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))

    for number, row in enumerate(rows, start=1):
        values = {name: None if is_missing(value) else value for name, value in row.items()}
        yield Record(f"row {number}", values)


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open("rb") as stream:
            if stream.read(2) in _UTF16_MARKS:
                raise SteerError(f"{path} is {NOT_UTF8} (it is UTF-16)")
        # A byte that is not UTF-8 becomes a surrogate, by which its row is known.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            yield stream
    except OSError as error:
        raise SteerError(f"cannot read {path}: {error.strerror}") from error


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
