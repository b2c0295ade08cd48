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


@dataclass(frozen=True)
class Options:
    """What might stand at each position of some lists, and what does.

    Attributes:
        items: Items to pick from, int64 of shape (lists, options).
        columns: Place of each position's pick among them, int64 of shape (lists, picks).
    """

    items: np.ndarray
    columns: np.ndarray

    @classmethod
    def of_lists(cls, lists: np.ndarray) -> "Options":
        """Options of lists that are made of their own items alone."""
        return cls(lists, np.broadcast_to(np.arange(lists.shape[1]), lists.shape))


# What each option would earn at each position, were it picked there: terms of shape (lists, picks, options).
OptionReward: TypeAlias = Reward[Histories, Options, Taste]


def option_reward(distances: Distances, novelty: np.ndarray, settings: Mapping[str, float]) -> OptionReward:
    """Weighted sum of what options are worth; relevance, diversity, novelty and unexpectedness lie between 0 and 1.

    Args:
        distances: Distances between items.
        novelty: Rareness of each item, float32 of shape (items,); see `scarcity`.
        settings: Weights that differ from the defaults, by name.

    Raises:
        SteerError: A name that no term has.
    """

    def relevance(histories: Histories, options: Options, taste: Taste) -> np.ndarray:
        """An item that the user did not want costs what it would have earned."""
        picks = options.columns.shape[1]
        return _gains(options.items, taste.liked, picks) - _gains(options.items, taste.hidden, picks)

    def diversity(histories: Histories, options: Options, taste: Taste) -> np.ndarray:
        picked = np.take_along_axis(options.items, options.columns, axis=1)
        return marginal_distances(distances.between(picked, options.items)) / (picked.shape[1] - 1)

    def shared(worth: np.ndarray, options: Options) -> np.ndarray:
        """Of options that are worth as much at every position."""
        shape = (*options.columns.shape, options.items.shape[1])
        return np.broadcast_to((worth / options.columns.shape[1])[:, None, :], shape)

    terms: dict[str, Term[Histories, Options, Taste]] = {
        "relevance": relevance,
        "diversity": diversity,
        "novelty": lambda histories, options, taste: shared(novelty[options.items], options),
        "unexpectedness": lambda histories, options, taste: shared(
            _to_history(distances, histories, options.items), options
        ),
    }
    return Reward(terms, WEIGHTS).with_weights(settings)


def list_reward(distances: Distances, novelty: np.ndarray, settings: Mapping[str, float]) -> ListReward:
    """Weighted sum of what a list is worth, with the arguments and the terms of `option_reward`."""
    each = option_reward(distances, novelty, settings)
    return Reward({name: _of_lists(term) for name, term in each.terms.items()}, each.weights)


def ndcg_gains(lists: np.ndarray, relevant: Sequence[np.ndarray]) -> np.ndarray:
    """Discounted gain of each position over the ideal list's, so that a row sums to NDCG (Järvelin & Kekäläinen 2002).

    Args:
        lists: Items in order, int64 of shape (lists, picks).
        relevant: Right items of each list; without any, nothing is gained.

    Returns:
        float32 of shape (lists, picks).
    """
    return _of_picks(_gains(lists, relevant, lists.shape[1]))


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


def _of_lists(term: Term[Histories, Options, Taste]) -> Term[Histories, np.ndarray, Taste]:
    """What the term pays for lists as they stand."""
    return lambda histories, lists, taste: _of_picks(term(histories, Options.of_lists(lists), taste))


def _of_picks(worth: np.ndarray) -> np.ndarray:
    """What each option of lists' own items is worth where it stands: of shape (lists, picks)."""
    return worth.diagonal(axis1=1, axis2=2)


def _gains(items: np.ndarray, relevant: Sequence[np.ndarray], picks: int) -> np.ndarray:
    """Gain of each item at each of the positions: float32 of shape (lists, picks, items); see `ndcg_gains`."""
    discounts = 1.0 / np.log2(np.arange(picks) + 2.0)
    hits = np.array([np.isin(row, right) for row, right in zip(items, relevant, strict=True)])
    ideal = np.array([discounts[: max(len(right), 1)].sum() for right in relevant])
    share = (discounts / ideal[:, None]).astype(np.float32)
    return share[:, :, None] * hits[:, None, :]


def _to_history(distances: Distances, histories: Histories, lists: np.ndarray) -> np.ndarray:
    """Mean distance of each item to what its user liked last, 0 where that is nothing (Murakami et al. 2008)."""
    means = np.zeros(lists.shape, dtype=np.float32)
    for row, history in enumerate(histories):
        recent = history[-_RECENT:]
        if len(recent):
            means[row] = distances.between(recent[None], lists[row, None])[0].mean(axis=0)
    return means
