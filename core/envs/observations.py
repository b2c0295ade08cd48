"""A batch of states: a dictionary of equally long columns, and how many states are divided into batches.

A column is a tuple of strings or of arrays of any length (texts, histories: never padded in storage), or one array
whose first axis counts the states.
"""

from collections.abc import Iterator, Mapping, Sequence
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


def bucketed(lengths: Sequence[int], tokens_per_batch: int) -> Iterator[list[int]]:
    """Row numbers in order of length, cut so that a padded batch stays within `tokens_per_batch` tokens."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[row] > tokens_per_batch:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def shuffled(lengths: Sequence[int], rows_per_batch: int, generator: np.random.Generator) -> list[np.ndarray]:
    """A random epoch in batches of rows of like length.

    Rows are shuffled, sorted by length within pools of 16 batches, and the batches shuffled again: near-random
    batches at a small share of the padding.

    Args:
        lengths: Length of each row, in tokens (any unit that grows with cost).
        rows_per_batch: Rows in each batch; the last one may be smaller.
        generator: Source of the order.
    """
    order = generator.permutation(len(lengths))
    sizes = np.asarray(lengths)
    pool = rows_per_batch * 16
    batches = []
    for start in range(0, len(order), pool):
        rows = order[start : start + pool]
        rows = rows[np.argsort(sizes[rows], kind="stable")]
        batches += [rows[at : at + rows_per_batch] for at in range(0, len(rows), rows_per_batch)]
    return [batches[at] for at in generator.permutation(len(batches))]
