"""One ranking out of several."""

from collections.abc import Sequence

import numpy as np


def reciprocal_rank_fusion(scores: Sequence[np.ndarray], k: int = 60) -> np.ndarray:
    """Fused scores: the sum over rankings of 1 / (k + rank) (Cormack, Clarke & Buettcher 2009).

    Args:
        scores: Scores of each method for every row, each of shape (queries, rows); the higher the better.
        k: Constant of the formula; the larger it is, the slower lower ranks lose weight.

    Returns:
        float32 of shape (queries, rows).
    """
    ranks = [(-s).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable") + 1 for s in scores]
    return np.sum([1.0 / (k + rank) for rank in ranks], axis=0).astype(np.float32)
