"""The rows of a table as lines of JSON, and back, so that every value comes back as it was on either engine."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column
from sqlalchemy import Table as SqlTable

from core.platform.store.schema import UtcTime


class RowFormat:
    """A row is a JSON array of its values in the order of the table's columns; times are texts of ISO 8601.

    Non-ASCII is escaped, so that half a surrogate pair, which JSON columns may hold, can be written as well.

    Args:
        table: Table that the rows belong to.
    """

    def __init__(self, table: SqlTable) -> None:
        self.columns: list[Column[Any]] = list(table.columns)

    def line(self, row: Sequence[Any]) -> bytes:
        """One line, with its end."""
        return json.dumps(list(row), default=datetime.isoformat, separators=(",", ":")).encode() + b"\n"

    def values(self, line: bytes) -> dict[str, Any]:
        """The values of a line by the names of their columns.

        Raises:
            ValueError: It is no such line, or a value is not of its column's kind.
        """
        row = json.loads(line)
        if not isinstance(row, list) or len(row) != len(self.columns):
            raise ValueError(f"it is no list of {len(self.columns)} values")
        return {column.name: _value(column, value) for column, value in zip(self.columns, row, strict=True)}


def _value(column: Column[Any], value: Any) -> Any:
    if isinstance(column.type, JSON) or (value is None and column.nullable):
        return value
    if isinstance(column.type, UtcTime) and isinstance(value, str):
        time = datetime.fromisoformat(value)
        if time.tzinfo is not None:
            return time
    elif type(value) is column.type.python_type:
        return value
    raise ValueError(f"{column.name} cannot be {value!r:.80}")
