"""Batches of rows of like length, so that little padding is computed."""

from collections.abc import Iterator, Sequence

import numpy as np


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
