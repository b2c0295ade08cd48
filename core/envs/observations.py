"""A batch of states: a dictionary of equally long columns.

A column is a tuple of strings or of arrays of any length (texts, histories: never padded in storage), or one array
whose first axis counts the states.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

Column: TypeAlias = "tuple[Any, ...] | np.ndarray"
Observations: TypeAlias = Mapping[str, Column]


def count(observations: Observations) -> int:
    """Number of states."""
    return len(next(iter(observations.values())))


def take(observations: Observations, rows: Sequence[int] | np.ndarray) -> dict[str, Column]:
    """The states at `rows`, in that order."""
    return {
        name: column[rows] if isinstance(column, np.ndarray) else tuple(column[row] for row in rows)
        for name, column in observations.items()
    }


def join(parts: Sequence[Observations]) -> dict[str, Column]:
    """All states of `parts`, one batch after the other."""
    return {
        name: np.concatenate([part[name] for part in parts])
        if isinstance(parts[0][name], np.ndarray)
        else tuple(value for part in parts for value in part[name])
        for name in parts[0]
    }
