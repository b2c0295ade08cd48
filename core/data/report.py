"""What there is to say of a table before anything is learnt from it."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from core.data.duplicates import near_duplicate_groups, same_text
from core.data.fields import LIST_SEPARATOR, Role, fields_of
from core.data.splits import Splits

_SHOWN = 3


@dataclass(frozen=True)
class Rejected:
    """Rows that cannot be used for one reason.

    Attributes:
        column: Name of the column that is wrong; empty where it is the row itself.
        reason: Reason why the rows cannot be used.
        count: Number of the rows.
        first: The first of them, each with its place and the value that stands there.
    """

    column: str
    reason: str
    count: int
    first: tuple[str, ...]


class Rejections:
    """Collects what is wrong with rows, in constant space."""

    def __init__(self) -> None:
        self.rows = 0
        self._count: Counter[tuple[str, str]] = Counter()
        self._first: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._messages: list[str] = []

    def add(self, place: str, column: str, reason: str, value: str = "") -> None:
        """Note a row.

        Args:
            place: Place of the row in its source.
            column: Name of the column that is wrong; empty where it is the row itself.
            reason: Reason, the same for all rows that have it.
            value: Value that stands there, and whatever else differs from row to row.
        """
        self.rows += 1
        self._count[column, reason] += 1
        shown = self._first[column, reason]
        if len(shown) < _SHOWN:
            shown.append(f"{place} ({value})" if value else place)
        if len(self._messages) < _SHOWN:
            what = f"{column}: {reason}" if column else reason
            self._messages.append(f"{place}: {what} ({value})" if value else f"{place}: {what}")

    def message(self) -> str:
        """The first rows with their reasons, and how many more there are."""
        more = f" (and {self.rows - _SHOWN} more)" if self.rows > _SHOWN else ""
        return "; ".join(self._messages) + more

    def by_reason(self) -> tuple[Rejected, ...]:
        """The rows by column and reason, the most frequent first."""
        return tuple(Rejected(*why, count, tuple(self._first[why])) for why, count in self._count.most_common())


@dataclass(frozen=True)
class Contradiction:
    """Rows of the same text with different labels.

    Attributes:
        text: The text, in small letters and with single spaces.
        column: Name of the column of labels.
        labels: Place of the first row with each label, by label.
    """

    text: str
    column: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Report:
    """What there is to say of a table.

    Attributes:
        source: Name of the source.
        rows: Number of rows.
        taken: Number of rows that can be used.
        rejected: Reasons why the others cannot, the most frequent first.
        duplicates: Number of rows whose texts an earlier row has, up to case and spacing.
        near_duplicates: Number of further rows whose texts say nearly the same as an earlier row's.
        labels: Number of rows by label, for each column of labels.
        contradictions: Texts that have several labels.
        splits: Number of rows by split; empty before there are splits.
    """

    source: str
    rows: int
    taken: int
    rejected: tuple[Rejected, ...] = ()
    duplicates: int = 0
    near_duplicates: int = 0
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    contradictions: tuple[Contradiction, ...] = ()
    splits: Mapping[str, int] = field(default_factory=dict)

    def with_splits(self, splits: Splits) -> "Report":
        """The same report, with the sizes of the splits."""
        return dataclasses.replace(self, splits={split: len(rows) for split, rows in splits.items()})

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return dataclasses.asdict(self)


def report_of(
    source: str,
    rows: Sequence[BaseModel],
    places: Sequence[str],
    rejections: Rejections,
    schema: type[BaseModel],
    column_of: Mapping[str, str],
) -> Report:
    """The report of a table whose rows have been checked.

    Args:
        source: Name of the source.
        rows: Rows that can be used.
        places: Place of each of them.
        rejections: The other rows.
        schema: Model of the rows.
        column_of: Name of each field's column.
    """
    text_fields = fields_of(schema, Role.TEXT)
    label_fields = [
        name for name in fields_of(schema, Role.LABEL) if any(getattr(row, name) is not None for row in rows)
    ]
    same: list[str] = []
    if text_fields:
        same = [same_text("\n".join(getattr(row, name) or "" for name in text_fields)) for row in rows]
    distinct = list(dict.fromkeys(same))
    labels = {column_of[name]: [_label(getattr(row, name)) for row in rows] for name in label_fields}
    return Report(
        source,
        len(rows) + rejections.rows,
        len(rows),
        rejections.by_reason(),
        duplicates=len(same) - len(distinct),
        near_duplicates=len(distinct) - len(set(near_duplicate_groups(distinct).tolist())),
        labels={column: dict(Counter(values).most_common()) for column, values in labels.items()},
        contradictions=tuple(
            each for column in labels for each in _contradictions(same, column, labels[column], places)
        ),
    )


def _label(value: Any) -> str:
    return LIST_SEPARATOR.join(value) if isinstance(value, list) else str(value)


def _contradictions(
    texts: Sequence[str], column: str, labels: Sequence[str], places: Sequence[str]
) -> list[Contradiction]:
    first: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for text, label, place in zip(texts, labels, places, strict=False):  # no texts, no contradictions
        first[text].setdefault(label, place)
    return [Contradiction(text, column, found) for text, found in first.items() if len(found) > 1]
