"""Reads tables: rows of any source, each checked against a model, as a `datasets.Dataset`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from core.data.checking import CheckedRows, Columns, Row
from core.data.fields import features_of
from core.data.report import Rejections, Report, report_of
from core.data.sources import Source, open_source

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset


def read_table(source: Source, schema: type[BaseModel], columns: Columns | None = None) -> "Dataset":
    """All rows of a source as a data set in memory, with the features of `schema`.

    Args:
        source: File (CSV, TSV, JSON, JSON Lines, Parquet), folder of such files, name on the Hugging Face Hub,
            `Dataset`, or data frame.
        schema: Model whose fields are the columns that count, with types of `core.data.fields`. A field `split` that
            has no column tells the file, or the part of a data set, that a row is from.
        columns: Names of the columns whose fields are called otherwise, by field.

    Raises:
        SteerError: The source is missing, lacks a column, is empty, or has rows that cannot be used; the message names
            the first of them with their lines. `check_table` leaves such rows out instead.
    """
    return _dataset(read_rows(source, schema, columns), schema)


def read_rows(source: Source, schema: type[Row], columns: Columns | None = None) -> list[Row]:
    """All rows of a source as instances of `schema`; otherwise like `read_table`."""
    table = CheckedRows(open_source(source), schema, columns)
    rejections = Rejections()
    rows = [row for _, row in table.checked(rejections)]
    table.refuse(rejections)
    return rows


def check_table(source: Source, schema: type[BaseModel], columns: Columns | None = None) -> tuple["Dataset", Report]:
    """The rows of a source that can be used, and what there is to say of all; otherwise like `read_table`.

    Raises:
        SteerError: The source is missing, lacks a column, or is empty.
    """
    table = CheckedRows(open_source(source), schema, columns)
    rejections = Rejections()
    places, rows = [], []
    for place, row in table.checked(rejections):
        places.append(place)
        rows.append(row)
    return _dataset(rows, schema), report_of(table.records.name, rows, places, rejections, schema, table.column_of)


def stream_table(source: Source, schema: type[BaseModel], columns: Columns | None = None) -> "IterableDataset":
    """The rows of a source one after the other, for what exceeds memory; otherwise like `read_table`.

    Of a data set of the Hub nothing is kept on this machine. A row that cannot be used ends the stream with a
    `SteerError` that names it.
    """
    from datasets import DatasetInfo, IterableDataset
    from datasets.iterable_dataset import ExamplesIterable

    table = CheckedRows(open_source(source, streaming=True), schema, columns)
    # `IterableDataset.from_generator` would pickle the table, for a name in a cache that a stream has no use for.
    return IterableDataset(ExamplesIterable(_stream, {"table": table}), DatasetInfo(features=features_of(schema)))


def _stream(table: "CheckedRows") -> Iterator[tuple[int, dict[str, Any]]]:
    rejections = Rejections()
    for number, (_, row) in enumerate(table.checked(rejections)):
        table.refuse(rejections)
        yield number, row.model_dump()
    table.refuse(rejections)


def _dataset(rows: list[Any], schema: type[BaseModel]) -> "Dataset":
    from datasets import Dataset

    features = features_of(schema)
    dumped = [row.model_dump() for row in rows]
    return Dataset.from_dict({name: [row[name] for row in dumped] for name in features}, features=features)
