"""What a list is worth, position by position."""

from collections.abc import Mapping, Sequence

import numpy as np

from apps.recommender.diversity import Distances, marginal_distances
from core.util.errors import SteerError

DEFAULTS = {"relevance": 1.0, "diversity": 0.2, "novelty": 0.05}


def weights(settings: Mapping[str, float]) -> dict[str, float]:
    """The defaults, with what `settings` changes.

    Raises:
        SteerError: a name that no part of the reward has.
    """
    unknown = sorted(set(settings) - set(DEFAULTS))
    if unknown:
        raise SteerError(f"unknown reward {unknown[0]!r}; there are {', '.join(DEFAULTS)}")
    return {**DEFAULTS, **settings}


class ListReward:
    """ImportanceWeighted sum of relevance, diversity and novelty, each between 0 and 1 for a whole list.

    Args:
        distances: between films.
        novelty: of each film, float32 of shape (items,), between 0 (everybody knows it) and 1.
        settings: weights by name (see `weights`).
    """

    def __init__(self, distances: Distances, novelty: np.ndarray, settings: Mapping[str, float]) -> None:
        self.distances, self.novelty, self.weights = distances, novelty, weights(settings)

    def parts(self, lists: np.ndarray, relevant: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Each part of the reward at each position, unweighted; summed over positions it is the list's.

        Args:
            lists: films in order, int64 of shape (lists, picks).
            relevant: the films that each user went on to like.
        """
        picks = lists.shape[1]
        return {
            "relevance": ndcg_gains(lists, relevant),
            "diversity": marginal_distances(self.distances.within(lists)) / (picks - 1),
            "novelty": self.novelty[lists] / picks,
        }

    def __call__(self, lists: np.ndarray, relevant: Sequence[np.ndarray]) -> np.ndarray:
        """Reward of each position, float32 of shape (lists, picks); arguments as in `parts`."""
        parts = self.parts(lists, relevant)
        return sum(self.weights[name] * part for name, part in parts.items()).astype(np.float32)  # type: ignore[union-attr]


def ndcg_gains(lists: np.ndarray, relevant: Sequence[np.ndarray]) -> np.ndarray:
    """Discounted gain of each position over the ideal list's, so that a row sums to NDCG (Järvelin & Kekäläinen 2002).

    Args:
        lists: films in order, int64 of shape (lists, picks).
        relevant: the right films of each list, at least one.

    Returns:
        float32 of shape (lists, picks).
    """
    discounts = 1.0 / np.log2(np.arange(lists.shape[1]) + 2.0)
    hits = np.array([np.isin(row, right) for row, right in zip(lists, relevant, strict=True)])
    ideal = np.array([discounts[: len(right)].sum() for right in relevant])
    return (hits * discounts / ideal[:, None]).astype(np.float32)


def novelty(popularity: np.ndarray, users: int) -> np.ndarray:
    """Self-information of a like, scaled to 0..1 (Zhou et al. 2010).

    Args:
        popularity: likes of each film, of shape (items,).
        users: how many users there are.

    Returns:
        float32 of shape (items,); 1 for a film that one user or nobody likes.
    """
    share = np.maximum(popularity, 1) / users
    return (np.log(share) / np.log(1 / users)).astype(np.float32)
