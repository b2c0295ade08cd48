"""The columns of a table as they were found, beside the fields that the app reads, with the first rows."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from core.data.sources import Records
from core.util.errors import SteerError

SHOWN_ROWS = 10
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class TablePreview:
    """What a table of a workspace looks like.

    Attributes:
        source: Source of the table as `steer.yaml` names it; empty where it names none.
        files: Names of its files.
        columns: Columns that were found; none in documents.
        rows: First rows, a text for each column.
        fields: Fields that the app reads; True for those that there must be.
        mapping: Column of each field that has one.
        problem: Reason why it cannot be read; empty where it can.
    """

    source: str = ""
    files: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    fields: tuple[tuple[str, bool], ...] = ()
    mapping: tuple[tuple[str, str], ...] = ()
    problem: str = ""


def found_columns(table: Records) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The columns and the first rows of a table.

    Raises:
        SteerError: It holds no table.
    """
    records = list(islice(table.read(), SHOWN_ROWS))
    broken = next((record for record in records if record.problem), None)
    if broken is not None:
        raise SteerError(f"{Path(table.name).name}, {broken.place}: {broken.problem}")
    columns = tuple(dict.fromkeys(column for record in records for column in record.values))
    rows = tuple(tuple(_shown(record.values.get(column)) for column in columns) for record in records)
    return columns, rows


def fields_of_rows(schema: type[BaseModel] | None) -> tuple[tuple[str, bool], ...]:
    """The fields of a table's rows, those that there must be first."""
    fields = [] if schema is None else [(name, info.is_required()) for name, info in schema.model_fields.items()]
    return tuple(sorted(fields, key=lambda field: not field[1]))


def guessed(fields: tuple[tuple[str, bool], ...], columns: tuple[str, ...]) -> dict[str, str]:
    """The column that each field is likely in: of the same name, of one that holds it, or of a similar one."""
    by_name = {_plain(column): column for column in columns}
    mapping = {name: by_name[_plain(name)] for name, _ in fields if _plain(name) in by_name}
    for name in (name for name, _ in fields if name not in mapping):
        free = [column for column in columns if column not in mapping.values()]
        holding = [column for column in free if name in re.findall("[a-z0-9]+", column.casefold())]
        near = get_close_matches(_plain(name), map(_plain, free), n=1, cutoff=0.75)
        if len(holding) == 1:
            mapping[name] = holding[0]
        elif near:
            mapping[name] = by_name[near[0]]
    return mapping


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _shown(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
