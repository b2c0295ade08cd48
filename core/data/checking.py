"""Checks the rows of a source against a model, and says of each that fails where it stands and why."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Generic, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from core.data.fields import Role, fields_of
from core.data.report import Rejections
from core.data.row_files import Record
from core.data.sources import Records
from core.util.errors import SteerError

Row = TypeVar("Row", bound=BaseModel)
Columns: TypeAlias = Mapping[str, str]

_SPLIT = "split"  # the field that a file's name, or that of a part of a data set, may tell
_SHOWN_CHARACTERS = 60


class CheckedRows(Generic[Row]):
    """A source whose rows are instances of a model.

    Args:
        records: Source that has been opened.
        schema: Model of its rows.
        columns: Names of the columns whose fields are called otherwise, by field.

    Raises:
        SteerError: `columns` names a field that the model does not have.
    """

    def __init__(self, records: Records, schema: type[Row], columns: Columns | None) -> None:
        columns = columns or {}
        for field in columns:
            if field not in schema.model_fields:
                raise SteerError(
                    f"there is no field {field!r} to map; {_there_is(field, schema.model_fields, 'fields')}"
                )
        self.records = records
        self.schema = schema
        self.column_of = {field: columns.get(field, field) for field in schema.model_fields}
        self._fields = [(name, self.column_of[name], info.is_required()) for name, info in schema.model_fields.items()]
        self._needed = {
            column for name, column, is_required in self._fields if name in columns or (is_required and name != _SPLIT)
        }

    def checked(self, rejections: Rejections) -> Iterator[tuple[str, Row]]:
        """The rows that can be used, each with its place.

        Args:
            rejections: Rejections in which the other rows are noted.

        Raises:
            SteerError: The source is missing, lacks a column, or holds no rows.
        """
        place_of: dict[tuple[str, str], str] = {}
        keys = fields_of(self.schema, Role.KEY)
        record = None
        for record in self.records.read():
            row = self._row(record, rejections)
            if row is None:
                continue
            given = [(key, getattr(row, key)) for key in keys if getattr(row, key) is not None]
            earlier = [(key, place_of.setdefault((key, value), record.place)) for key, value in given]
            twice = next(((key, place) for key, place in earlier if place != record.place), None)
            if twice is None:
                yield record.place, row
            else:
                value = f"got {getattr(row, twice[0])!r}, as in {twice[1]}"
                rejections.add(record.place, self.column_of[twice[0]], "the same as in an earlier row", value)
        if record is None:
            raise SteerError(f"{self.records.name} holds no rows")

    def refuse(self, rejections: Rejections) -> None:
        """Refuse the source if there are rejections.

        Raises:
            SteerError: There are; the message names the first of them.
        """
        if rejections.rows:
            raise SteerError(f"{self.records.name} is malformed: {rejections.message()}")

    def _row(self, record: Record, rejections: Rejections) -> Row | None:
        if record.problem:
            rejections.add(record.place, "", record.problem)
            return None
        if record.has_header and not self._needed <= record.values.keys():
            missing = next(
                column for column in self.column_of.values() if column in self._needed - record.values.keys()
            )
            where = f"{self.records.name}, {record.part}," if record.part else self.records.name
            raise SteerError(f"{where} has no column {missing!r}; {_there_is(missing, record.values, 'columns')}")
        try:
            return self.schema.model_validate(self._values(record))
        except ValidationError as error:
            rejections.add(record.place, *self._first_problem(error, record))
            return None

    def _values(self, record: Record) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if self.schema.model_config.get("extra") == "forbid":
            taken = set(self.column_of.values())
            values = {column: value for column, value in record.values.items() if column not in taken}
        for field, column, is_required in self._fields:
            value = record.values.get(column)
            if field == _SPLIT and column not in record.values and record.split is not None:
                value = record.split
            # An empty cell of a column that may be left out leaves it out.
            if value is not None or (is_required and column in record.values):
                values[field] = value
        return values

    def _first_problem(self, error: ValidationError, record: Record) -> tuple[str, str, str]:
        first = error.errors(include_url=False, include_context=False)[0]
        field, *inside = map(str, first["loc"]) or ("",)
        column = ".".join([self.column_of.get(field, field), *inside])
        if first["type"] == "missing":
            return column, "missing", "" if inside else _there_is(column, record.values, "columns")
        if first["input"] is None:
            return column, "empty", ""
        value = repr(first["input"] if inside else record.values.get(column))
        shown = value if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]}..."
        return column, first["msg"], f"got {shown}"


def _there_is(wanted: str, names: Iterable[str], what: str) -> str:
    names = list(names)
    by_lower = {name.lower(): name for name in names}
    near = get_close_matches(wanted.lower(), by_lower, n=1, cutoff=0.6)
    listed = f"its {what} are {', '.join(names)}" if names else f"it has no {what}"
    return listed + (f"; did you mean {by_lower[near[0]]!r}?" if near else "")
