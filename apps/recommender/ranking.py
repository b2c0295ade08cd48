"""The highest scores of a catalogue, and what lists of them are worth by the measures of the field."""

from collections.abc import Sequence

import numpy as np

from apps.recommender.diversity import Distances
from apps.recommender.rewards import ndcg_gains


def ranking_measures(
    lists: np.ndarray, relevant: Sequence[np.ndarray], distances: Distances, items: int
) -> dict[str, float]:
    """Hit rate, recall and NDCG (Järvelin & Kekäläinen 2002), catalogue coverage, intra-list distance (Ziegler 2005).

    All items that a user liked next count, whether or not they were among the candidates.

    Args:
        lists: Items in order, int64 of shape (lists, picks).
        relevant: Items that each list's user liked next.
        distances: Distances between items, for ILD.
        items: Number of items in the catalogue, for coverage.
    """
    picks = lists.shape[1]
    hits = np.array([np.isin(right, row).sum() for row, right in zip(lists, relevant, strict=True)])
    return {
        f"HR@{picks}": float((hits > 0).mean()),
        f"recall@{picks}": float((hits / [max(len(right), 1) for right in relevant]).mean()),
        f"NDCG@{picks}": float(ndcg_gains(lists, relevant).sum(axis=1).mean()),
        "coverage": len(np.unique(lists)) / items,
        "ILD": float(distances.within(lists).sum(axis=(1, 2)).mean() / (picks * (picks - 1))),
    }


def highest(scores: np.ndarray, count: int) -> np.ndarray:
    """Columns of the highest scores, best first, int64 of shape (rows, count): only those few are sorted.

    Args:
        scores: Scores, float32 of shape (rows, columns).
        count: Number of columns, or as many as there are.
    """
    few = np.sort(np.argpartition(-scores, min(count, scores.shape[1] - 1), axis=1)[:, :count], axis=1)
    order = np.argsort(-np.take_along_axis(scores, few, axis=1), axis=1, kind="stable")
    return np.take_along_axis(few, order, axis=1)
