"""Rows of a source that can be used, each with its place, and the rejections of the others."""

from collections.abc import Callable, Sequence
from typing import Generic

from core.data.checking import CheckedRows, Columns, Row
from core.data.report import Rejections, Report, report_of
from core.data.sources import Source, open_source
from core.util.errors import SteerError


class UsableRows(Generic[Row]):
    """Rows that can be used.

    Args:
        name: Name of the source.
        schema: Model of the rows.
        rows: Rows that can be used.
        places: Place of each of them.
        rejections: The other rows.
        columns: Names of the columns whose fields are called otherwise, by field.
    """

    def __init__(
        self,
        name: str,
        schema: type[Row],
        rows: Sequence[Row],
        places: Sequence[str],
        rejections: Rejections,
        columns: Columns | None = None,
    ) -> None:
        self.name, self.schema, self.rejections = name, schema, rejections
        self.rows, self.places = list(rows), list(places)
        self._column_of = {field: (columns or {}).get(field, field) for field in schema.model_fields}

    @classmethod
    def of_table(cls, source: Source, schema: type[Row], columns: Columns | None = None) -> "UsableRows[Row]":
        """The rows of a table; see `core.data.tables.read_table` for the arguments and what it raises."""
        table, rejections = CheckedRows(open_source(source), schema, columns), Rejections()
        found = list(table.checked(rejections))
        rows, places = [row for _, row in found], [place for place, _ in found]
        return cls(table.records.name, schema, rows, places, rejections, columns)

    def reject(self, field: str, problem: Callable[[Row], tuple[str, str] | None]) -> None:
        """Reject further rows.

        Args:
            field: Field that is wrong in them.
            problem: Function that gives the reason and the value that stands there, or None for a row that is right.
        """
        kept = []
        for place, row in zip(self.places, self.rows, strict=True):
            found = problem(row)
            if found is None:
                kept.append((place, row))
            else:
                self.rejections.add(place, self._column_of[field], *found)
        self.places, self.rows = [place for place, _ in kept], [row for _, row in kept]

    def report(self) -> Report:
        """What there is to say of all rows."""
        return report_of(self.name, self.rows, self.places, self.rejections, self.schema, self._column_of)

    def refuse(self) -> None:
        """Refuse the source if there are rejections.

        Raises:
            SteerError: There are; the message names the first of them.
        """
        if self.rejections.rows:
            raise SteerError(f"{self.name} is malformed: {self.rejections.message()}")
