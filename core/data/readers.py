"""Reads row files and says which row of a malformed one is wrong."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from core.util.errors import SteerError

Row = TypeVar("Row", bound=BaseModel)

_SHOWN_ERRORS = 3


def read_jsonl(path: Path, schema: type[Row]) -> list[Row]:
    """All rows of a JSON Lines file, each checked against `schema`.

    Raises:
        SteerError: the file is missing or not UTF-8, or rows are malformed; the message names the first of them.
    """
    rows, errors = [], []
    for number, line in _lines(path):
        try:
            rows.append(schema.model_validate(json.loads(line)))
        except (json.JSONDecodeError, ValidationError) as error:
            errors.append(f"line {number}: {_first_problem(error)}")
    if errors:
        more = f" (and {len(errors) - _SHOWN_ERRORS} more)" if len(errors) > _SHOWN_ERRORS else ""
        raise SteerError(f"{path} is malformed: " + "; ".join(errors[:_SHOWN_ERRORS]) + more)
    if not rows:
        raise SteerError(f"{path} holds no rows")
    return rows


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield number, line
    except UnicodeDecodeError as error:
        raise SteerError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise SteerError(f"cannot read {path}: {error.strerror}") from error


def _first_problem(error: json.JSONDecodeError | ValidationError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON ({error.msg})"
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'row'}: {first['msg']}"
