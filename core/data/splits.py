"""The three parts of a data set."""

from collections.abc import Sequence
from typing import Literal, TypeVar

import numpy as np

Split = Literal["train", "validation", "test"]
T = TypeVar("T")


def divide(rows: Sequence[T], *, seed: int = 0) -> dict[Split, list[T]]:
    """Rows in random order, three fifths for training and a fifth each for validation and test.

    Args:
        rows: Rows that do not depend on each other; several of one customer or one conversation must stay together.
        seed: Seed of the order; equal seeds divide equally.
    """
    order = np.random.default_rng(seed).permutation(len(rows))
    first, second = round(0.6 * len(rows)), round(0.8 * len(rows))
    parts: dict[Split, np.ndarray] = {
        "train": order[:first],
        "validation": order[first:second],
        "test": order[second:],
    }
    return {split: [rows[row] for row in part] for split, part in parts.items()}
