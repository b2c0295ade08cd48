"""Types that the columns of a table are declared with, and the `datasets.Features` that they stand for."""

import json
import math
import types
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    import datasets

Item = TypeVar("Item")
LIST_SEPARATOR = "|"
_VALUES: dict[Any, str] = {
    str: "string",
    float: "float64",
    int: "int64",
    bool: "bool",
    datetime: "timestamp[us, tz=UTC]",
    AwareDatetime: "timestamp[us, tz=UTC]",
}
_DIGITS_OF_A_DATE = 8  # 20260131; more digits are seconds since 1970


class Role(Enum):
    """What a column is to the report of a table."""

    TEXT = "text"
    LABEL = "label"
    KEY = "key"


def _text(value: Any) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise PydanticCustomError("empty", "empty")
    if not isinstance(value, str):
        raise PydanticCustomError("no_text", "not a text")
    return value


def _id(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        raise PydanticCustomError("float_id", "a number with a point, not an id; keep ids as text or whole numbers")
    return _text(value)


def _label(value: Any) -> Any:
    value = _id(value)
    return value.strip() if isinstance(value, str) else value


def _number(value: Any) -> float:
    if value is None:
        raise PydanticCustomError("empty", "empty")
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise PydanticCustomError("no_number", "not a finite number")
    return number


def _zoned(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError("empty", "empty")
    if isinstance(value, str):
        if value.isdecimal() and len(value) > _DIGITS_OF_A_DATE:
            return int(value)
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise PydanticCustomError("no_time", "not a time as in 2026-01-31T18:00:00+01:00") from None
    if isinstance(value, datetime) and value.tzinfo is None:
        raise PydanticCustomError("no_zone", "without a time zone; end it with Z or +01:00")
    return value


def _past(value: datetime) -> datetime:
    if value > datetime.now(UTC):
        raise PydanticCustomError("future", "in the future")
    return value


def _items(value: Any) -> Any:
    if value is None or value == "":
        return []
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            raise PydanticCustomError("no_list", "not a list in JSON") from None
    return [item.strip() for item in value.split(LIST_SEPARATOR)]


Text = Annotated[str, BeforeValidator(_text), Role.TEXT]
"""Text that a model reads; never empty."""

Label = Annotated[str, BeforeValidator(_label), Role.LABEL]
"""One of any number of classes. Where the classes are known, declare a `Literal` instead."""

Id = Annotated[str, BeforeValidator(_id)]
"""Name of a thing, kept as it is written: `007` stays `007`."""

Key = Annotated[Id, Role.KEY]
"""Id of the row itself, which no other row may have."""

Number = Annotated[float, BeforeValidator(_number)]
"""Finite number."""

Time = Annotated[AwareDatetime, BeforeValidator(_zoned), AfterValidator(_past)]
"""Moment that has passed, in ISO 8601 with its time zone or in seconds since 1970; stored as UTC in microseconds."""

ListOf = Annotated[list[Item], BeforeValidator(_items)]
"""Any number of items; in a cell of a CSV file either JSON or separated by `|`."""


def fields_of(schema: type[BaseModel], role: Role) -> list[str]:
    """Names of the fields of a schema with a role, in their order; a `Literal` of texts is a label."""

    def has_role(field: FieldInfo) -> bool:
        kind = _required(field.annotation)
        return role in field.metadata or role in get_args(kind) or (role is Role.LABEL and get_origin(kind) is Literal)

    return [name for name, field in schema.model_fields.items() if has_role(field)]


def features_of(schema: type[BaseModel]) -> "datasets.Features":
    """Features of the data set that holds rows of `schema`.

    A `Literal` becomes a `ClassLabel` with its values as names, in their order.

    Raises:
        TypeError: A field has a type that no column can hold.
    """
    from datasets import Features

    return Features({name: _feature(field.annotation) for name, field in schema.model_fields.items()})


def _required(annotation: Any) -> Any:
    """What `X` is in `X | None`."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    return kinds[0] if len(kinds) == 1 else annotation


def _feature(annotation: Any) -> Any:
    from datasets import ClassLabel, List, Value

    kind = _required(annotation)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _feature(arguments[0])
    if origin is Literal:
        return ClassLabel(names=list(arguments))
    if origin is list:
        return List(_feature(arguments[0]))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return dict(features_of(kind))
    if kind not in _VALUES:
        raise TypeError(f"no column of a table can hold {kind}")
    return Value(_VALUES[kind])
