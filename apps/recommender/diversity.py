"""How different items are, and lists that trade relevance against that."""

import numpy as np

from apps.recommender.data import ShopData


class Distances:
    """Distance of items between 0 (alike) and 1: half by tags (Jaccard), half by what their texts say (cosine).

    Args:
        data: Items with their tags.
        texts: Unit-length text embeddings of the items, float32 of shape (items, text width).
    """

    def __init__(self, data: ShopData, texts: np.ndarray) -> None:
        self.tags, self.texts = data.tags, texts

    def within(self, rows: np.ndarray) -> np.ndarray:
        """Distances between all items of each list.

        Args:
            rows: Items of each list, int64 of shape (lists, items).

        Returns:
            float32 of shape (lists, items, items).
        """
        return self.between(rows, rows)

    def between(self, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Distances of the items of each list to those of another, float32 of shape (lists, items, other items).

        Args:
            rows: Items of each list, int64 of shape (lists, items).
            others: Items of the other lists, int64 of shape (lists, other items).
        """
        tags, theirs = self.tags[rows], self.tags[others]
        cosine = self.texts[rows] @ self.texts[others].transpose(0, 2, 1)
        shared = tags @ theirs.transpose(0, 2, 1)
        either = np.maximum(tags.sum(axis=2)[:, :, None] + theirs.sum(axis=2)[:, None, :] - shared, 1.0)
        return 0.5 * (1.0 - shared / either) + 0.5 * (1.0 - cosine.clip(0.0, 1.0))


def marginal_distances(distances: np.ndarray) -> np.ndarray:
    """Mean distance of each item to the picks before each position, 0 at the first.

    Args:
        distances: Distances of the picks of lists to items, float32 of shape (lists, picks, items).

    Returns:
        float32 of the same shape.
    """
    picks = distances.shape[1]
    before = np.tril(np.ones((picks, picks), dtype=np.float32), k=-1)
    return (before / np.maximum(before.sum(axis=1, keepdims=True), 1.0)) @ distances


def diverse_lists(relevance: np.ndarray, distances: np.ndarray, trade_off: float, picks: int) -> np.ndarray:
    """Maximal marginal relevance (Carbonell & Goldstein 1998), with the mean distance to the picks so far.

    Each position takes the candidate with the largest relevance + trade_off * mean distance to the picks before it.

    Args:
        relevance: Relevance of each candidate, float32 of shape (lists, candidates); -inf never gets picked.
        distances: Distances between candidates, float32 of shape (lists, candidates, candidates).
        trade_off: Worth of a distance of 1 in units of relevance.
        picks: Length of a list; of fewer candidates, all are picked.

    Returns:
        Columns of the picks in order, int64 of shape (lists, picks).
    """
    lists, picks = np.arange(len(relevance)), min(picks, relevance.shape[1])
    open_ = relevance.copy()
    total = np.zeros_like(relevance)
    chosen = np.zeros((len(relevance), picks), dtype=np.int64)
    for position in range(picks):
        value = open_ + trade_off * total / max(position, 1)
        chosen[:, position] = value.argmax(axis=1)
        open_[lists, chosen[:, position]] = -np.inf
        total += distances[lists, :, chosen[:, position]]
    return chosen
