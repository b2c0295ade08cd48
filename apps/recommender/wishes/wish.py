"""What a visitor asks for, and which items of a catalogue meet it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np

from apps.recommender.data import Item
from apps.recommender.wishes.spelling import is_within, plain

Kind = Literal["tags", "years", "prices", "words"]

_REMEMBERED_WORDS = 512


@dataclass(frozen=True)
class Condition:
    """Something that every item of a list shall be, or that none shall be.

    Attributes:
        kind: Subject; `words` stands for an item's text, and is only ever unwanted.
        names: Tags of which an item shall have one, or words of which it shall have none.
        low: First year or lowest price; None where there is no limit.
        high: Last year or highest price; None where there is no limit.
        is_unwanted: Whether items must not be like that.
    """

    kind: Kind
    names: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    is_unwanted: bool = False


@dataclass(frozen=True)
class Wish:
    """A sentence as it was read.

    Attributes:
        conditions: Demands on the items, wanted and unwanted.
        like: Rows of the items that they shall be like.
        rest: Other words of it, for the text encoder; may be empty.
        is_partly_read: Whether it has words, of another language than the catalogue's, that nothing was made of.
    """

    conditions: tuple[Condition, ...] = ()
    like: tuple[int, ...] = ()
    rest: str = ""
    is_partly_read: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it asks for nothing."""
        return not (self.conditions or self.like or self.rest)


NO_WISH = Wish()


@dataclass(frozen=True)
class Fitting:
    """Which items may be shown for a wish.

    Attributes:
        closed: Rows of the items that do not meet it, int64.
        unmet: Conditions that were given up, as nothing would be left.
    """

    closed: np.ndarray
    unmet: tuple[Condition, ...] = ()


class Shelf:
    """A catalogue as conditions see it.

    Args:
        items: All items, by row.
        near: Gives the rows of the items that are nearest to a few words, int64.
    """

    def __init__(self, items: Sequence[Item], near: Callable[[str], np.ndarray]) -> None:
        self.items, self._near = items, near
        rows: dict[str, list[int]] = {}
        for item in items:
            for tag in item.tags:
                rows.setdefault(tag, []).append(item.row)
        self._rows_of_tag = {tag: np.array(found, dtype=np.int64) for tag, found in rows.items()}
        self.years = _numbers([item.year for item in items])
        self.prices = _numbers([item.price for item in items])
        self.rows_saying = lru_cache(maxsize=_REMEMBERED_WORDS)(self._rows_saying)

    @property
    def tags(self) -> list[str]:
        """All tags, the commonest first."""
        return sorted(self._rows_of_tag, key=lambda tag: (-len(self._rows_of_tag[tag]), tag))

    def fitting(self, wish: Wish, seen: np.ndarray) -> Fitting:
        """Which items meet a wish; where none would be left, the least of its conditions are given up.

        What is unwanted is given up last, then what the years and the prices are, and kinds first.

        Args:
            wish: Wish to meet.
            seen: Rows of items that are not shown whatever they are, int64.
        """
        is_open = np.ones(len(self.items), dtype=bool)
        is_open[[*seen, *wish.like]] = False
        if not is_open.any() or not (wish.conditions or wish.like):
            return Fitting(np.array(wish.like, dtype=np.int64))
        unmet = []
        for condition in sorted(wish.conditions, key=_importance):
            left = is_open & self.meets(condition)
            if left.any():
                is_open = left
            else:
                unmet.append(condition)
        return Fitting(np.flatnonzero(~is_open), tuple(unmet))

    def meets(self, condition: Condition) -> np.ndarray:
        """Whether each item meets a condition, bool of shape (items,); of an unknown year or price nothing is said."""
        if condition.kind in ("tags", "words"):
            is_so = np.zeros(len(self.items), dtype=bool)
            for name in condition.names:
                for rows in [self._rows_of_tag[name]] if condition.kind == "tags" else self._about(name):
                    is_so[rows] = True
        else:
            values = self.years if condition.kind == "years" else self.prices
            low = -np.inf if condition.low is None else condition.low
            high = np.inf if condition.high is None else condition.high
            is_so = (values >= low) & (values <= high)
        return ~is_so if condition.is_unwanted else is_so

    def _about(self, words: str) -> tuple[np.ndarray, np.ndarray]:
        return self.rows_saying(words), self._near(words)

    def _rows_saying(self, words: str) -> np.ndarray:
        """Rows of the items whose text holds all these words, or their plurals, int64."""
        return np.array([row for row, text in enumerate(self._texts) if is_within(words, text)], dtype=np.int64)

    @cached_property
    def _texts(self) -> list[str]:
        return [plain(item.text) for item in self.items]


def _importance(condition: Condition) -> tuple[bool, bool]:
    return not condition.is_unwanted, condition.kind == "tags"


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
