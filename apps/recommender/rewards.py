"""What a list is worth, position by position."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from apps.recommender.diversity import Distances, marginal_distances
from core.rewards.reward import Reward, Term

WEIGHTS = {"relevance": 1.0, "diversity": 0.2, "novelty": 0.05, "unexpectedness": 0.0}

_RECENT = 10


@dataclass(frozen=True)
class Taste:
    """What turned out to be right for the users of some lists.

    Attributes:
        liked: Items that each user liked, int64 of shape (items,).
        hidden: Items that each user did not want to see, int64 of shape (items,).
    """

    liked: Sequence[np.ndarray]
    hidden: Sequence[np.ndarray]

    @classmethod
    def of_likes(cls, liked: Sequence[np.ndarray]) -> "Taste":
        """Of users of whom only their likes are known."""
        return cls(liked, [np.zeros(0, dtype=np.int64)] * len(liked))


# State: items that each user had liked before, oldest first. Action: items of each list in order, int64 of shape
# (lists, picks). Every term is float32 of that shape, and summed over a row it is the whole list's.
Histories: TypeAlias = Sequence[np.ndarray]
ListReward: TypeAlias = Reward[Histories, np.ndarray, Taste]


def list_reward(distances: Distances, novelty: np.ndarray, settings: Mapping[str, float]) -> ListReward:
    """Weighted sum of what a list is worth; relevance, diversity, novelty and unexpectedness lie between 0 and 1.

    Args:
        distances: Distances between items.
        novelty: How little each item is known, float32 of shape (items,); see `scarcity`.
        settings: Weights that differ from the defaults, by name.

    Raises:
        SteerError: A name that no term has.
    """
    terms: dict[str, Term[Histories, np.ndarray, Taste]] = {
        # An item that the user did not want costs what it would have earned.
        "relevance": lambda histories, lists, taste: ndcg_gains(lists, taste.liked) - ndcg_gains(lists, taste.hidden),
        "diversity": lambda histories, lists, taste: marginal_distances(distances.within(lists)) / (lists.shape[1] - 1),
        "novelty": lambda histories, lists, taste: novelty[lists] / lists.shape[1],
        "unexpectedness": lambda histories, lists, taste: _to_history(distances, histories, lists) / lists.shape[1],
    }
    return Reward(terms, WEIGHTS).with_weights(settings)


def option_rewards(
    reward: ListReward,
    distances: Distances,
    novelty: np.ndarray,
    histories: Histories,
    candidates: np.ndarray,
    columns: np.ndarray,
    relevant: Sequence[np.ndarray],
) -> np.ndarray:
    """What each candidate would earn at each position of given lists, were it picked there; see `list_reward`.

    Args:
        reward: Reward of a list, whose weights count.
        distances: Distances between items.
        novelty: How little each item is known, float32 of shape (items,).
        histories: Items that each user had liked before, oldest first.
        candidates: Items that the lists are made of, int64 of shape (lists, candidates).
        columns: Places of the picks among the candidates, int64 of shape (lists, picks).
        relevant: Items that each user went on to like.

    Returns:
        float32 of shape (lists, picks, candidates).
    """
    picks, weights = columns.shape[1], reward.weights
    apart = distances.between(np.take_along_axis(candidates, columns, axis=1), candidates)
    before = np.tril(np.ones((picks, picks), dtype=np.float32), k=-1)
    marginal = (before / np.maximum(before.sum(axis=1, keepdims=True), 1.0)) @ apart
    discounts = 1.0 / np.log2(np.arange(picks) + 2.0)
    ideal = np.array([discounts[: max(len(right), 1)].sum() for right in relevant])
    hits = np.array([np.isin(row, right) for row, right in zip(candidates, relevant, strict=True)])
    anywhere = weights["novelty"] * novelty[candidates]
    if weights["unexpectedness"]:
        anywhere = anywhere + weights["unexpectedness"] * _to_history(distances, histories, candidates)
    gains = weights["relevance"] * discounts[:, None] * (hits / ideal[:, None])[:, None, :]
    return (gains + weights["diversity"] * marginal / (picks - 1) + anywhere[:, None, :] / picks).astype(np.float32)


def ndcg_gains(lists: np.ndarray, relevant: Sequence[np.ndarray]) -> np.ndarray:
    """Discounted gain of each position over the ideal list's, so that a row sums to NDCG (Järvelin & Kekäläinen 2002).

    Args:
        lists: Items in order, int64 of shape (lists, picks).
        relevant: Right items of each list; without any, nothing is gained.

    Returns:
        float32 of shape (lists, picks).
    """
    discounts = 1.0 / np.log2(np.arange(lists.shape[1]) + 2.0)
    hits = np.array([np.isin(row, right) for row, right in zip(lists, relevant, strict=True)])
    ideal = np.array([discounts[: max(len(right), 1)].sum() for right in relevant])
    return (hits * discounts / ideal[:, None]).astype(np.float32)


def scarcity(popularity: np.ndarray, users: int) -> np.ndarray:
    """Self-information of a like, scaled to 0..1 (Zhou et al. 2010).

    Args:
        popularity: Likes of each item, of shape (items,).
        users: Number of users.

    Returns:
        float32 of shape (items,); 1 for an item that one user or nobody likes.
    """
    share = np.maximum(popularity, 1) / users
    return (np.log(share) / np.log(1 / users)).astype(np.float32)


def _to_history(distances: Distances, histories: Histories, lists: np.ndarray) -> np.ndarray:
    """Mean distance of each item to what its user liked last, 0 where that is nothing (Murakami et al. 2008)."""
    means = np.zeros(lists.shape, dtype=np.float32)
    for row, history in enumerate(histories):
        recent = history[-_RECENT:]
        if len(recent):
            both = distances.within(np.concatenate([recent, lists[row]])[None])[0]
            means[row] = both[len(recent) :, : len(recent)].mean(axis=1)
    return means
