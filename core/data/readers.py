"""Reads row files and says which row of a malformed one is wrong."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from core.util.errors import SteerError

T = TypeVar("T")
Row = TypeVar("Row", bound=BaseModel)

_SHOWN_ERRORS = 3


class DecisionRow(BaseModel):
    """A logged decision about a text, as a CSV file keeps it.

    Attributes:
        state: Text that was decided about.
        action: Name of the action that was taken.
        propensity: Probability with which the deciding policy took the action, in (0, 1].
        reward: What came of it.
    """

    state: str
    action: str
    propensity: float = Field(gt=0, le=1)
    reward: FiniteFloat


def read_jsonl(path: Path, schema: type[Row]) -> list[Row]:
    """All rows of a JSON Lines file, each checked against `schema`.

    Raises:
        SteerError: The file is missing or not UTF-8, or rows are malformed; the message names the first of them.
    """
    with _opened(path) as stream:
        lines = ((number, line) for number, line in enumerate(stream, start=1) if line.strip())
        return _checked(path, lines, lambda line: schema.model_validate(json.loads(line)))


def read_csv(path: Path, schema: type[Row], columns: Mapping[str, str] | None = None) -> list[Row]:
    """All rows of a CSV file with a header line, each checked against `schema`.

    Args:
        path: UTF-8 file, with or without a byte-order mark.
        schema: Model whose fields are the columns that count.
        columns: Names of the columns whose fields are called otherwise, by field.

    Raises:
        SteerError: The file is missing, not UTF-8 or lacks a column, or rows are malformed; the message names the
            first of them.
    """
    column_of = {field: (columns or {}).get(field, field) for field in schema.model_fields}
    with _opened(path) as stream:
        reader = csv.DictReader(stream)
        missing = [column for column in column_of.values() if column not in (reader.fieldnames or ())]
        if missing:
            there = ", ".join(reader.fieldnames or ()) or "none"
            raise SteerError(f"{path} has no column {missing[0]!r}; its columns are {there}")
        return _checked(
            path,
            ((reader.line_num, cells) for cells in reader),
            lambda cells: schema.model_validate({field: cells[column] for field, column in column_of.items()}),
        )


def _checked(path: Path, lines: Iterable[tuple[int, T]], parse: Callable[[T], Row]) -> list[Row]:
    rows, errors = [], []
    for number, line in lines:
        try:
            rows.append(parse(line))
        except (json.JSONDecodeError, ValidationError) as error:
            errors.append(f"line {number}: {_first_problem(error)}")
    if errors:
        more = f" (and {len(errors) - _SHOWN_ERRORS} more)" if len(errors) > _SHOWN_ERRORS else ""
        raise SteerError(f"{path} is malformed: " + "; ".join(errors[:_SHOWN_ERRORS]) + more)
    if not rows:
        raise SteerError(f"{path} holds no rows")
    return rows


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield stream
    except UnicodeDecodeError as error:
        raise SteerError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise SteerError(f"cannot read {path}: {error.strerror}") from error


def _first_problem(error: json.JSONDecodeError | ValidationError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON ({error.msg})"
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'row'}: {first['msg']} (got {first['input']!r})"
