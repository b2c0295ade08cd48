"""Each user's events cut by time: what a policy may know, and what the user went on to like."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from apps.recommender.data import Events, ShopData
from core.training.task import Split

PICKS = 10
RETRIEVER_SHARE = 0.6

_MOST_WINDOWS = 12
# A state takes about 10 kB: what is kept of many users fits into the memory of a laptop.
_MOST_CUTS: Mapping[Split, int] = {"train": 30_000, "validation": 5_000, "test": 5_000}


@dataclass(frozen=True)
class HistoryCut:
    """A user's history, cut at one moment.

    Attributes:
        user: Id of the user.
        liked: Items liked before the cut, oldest first, int64.
        seen: All items met before the cut, int64.
        relevant: The items that the user liked next, `ShopData.next_likes` of them, int64.
    """

    user: str
    liked: np.ndarray
    seen: np.ndarray
    relevant: np.ndarray


def history_cuts(data: ShopData, split: Split) -> list[HistoryCut]:
    """The cuts of a split.

    With five next likes, the last five likes of a user are the test, the five before them the validation; the newer
    part of the rest gives windows of five likes for training a ranker. What is known at a cut is everything before its
    first target. Left out are cuts at which fewer unseen items remain than a list is long. Of more than 30,000 cuts for
    training, or 5,000 for the other splits, so many are taken at even distances.
    """
    places = _places(data, split)
    taken = np.linspace(0, len(places) - 1, min(len(places), _MOST_CUTS[split])).astype(int)
    return [_cut(user, data.users[user], first, data.next_likes) for user, first in (places[at] for at in taken)]


def number_of_cuts(data: ShopData, split: Split) -> int:
    """Number of the cuts of a split, without making them."""
    return min(len(_places(data, split)), _MOST_CUTS[split])


def retriever_histories(data: ShopData) -> list[np.ndarray]:
    """Each user's oldest likes, before any cut of any split: what a retriever may learn from."""
    return [events.items[events.likes[: _first_window(events, data.next_likes)]] for events in data.users.values()]


def fewest_likes(data: ShopData) -> int:
    """Number of likes from which on a user belongs to the splits."""
    return 3 * data.next_likes


def known_histories(data: ShopData, split: Split) -> dict[str, np.ndarray]:
    """Each user's likes before the cut of a split, all of them for users who are not split; by user.

    What trains knows what validation knows: its own users have to be left out, see `Recommender.environment`.
    """
    hidden = data.next_likes if split == "test" else 2 * data.next_likes
    return {
        user: events.items[events.likes[: len(events.likes) - hidden * (len(events.likes) >= fewest_likes(data))]]
        for user, events in data.users.items()
    }


def _places(data: ShopData, split: Split) -> list[tuple[str, int]]:
    """Users with the number of the like that is the first target of a cut."""
    return [
        (user, first)
        for user, events in data.users.items()
        for first in _targets(events, split, data.next_likes)
        if len(data.items) - events.likes[first] >= PICKS
    ]


def _first_window(events: Events, next_likes: int) -> int:
    """Which like begins the first training window; users with few likes have none."""
    likes = len(events.likes)
    return int(RETRIEVER_SHARE * (likes - 2 * next_likes)) if likes >= 3 * next_likes else likes


def _targets(events: Events, split: Split, next_likes: int) -> list[int]:
    """Which like is the first target of each cut."""
    likes = len(events.likes)
    if likes < 3 * next_likes:
        return []
    if split == "test":
        return [likes - next_likes]
    if split == "validation":
        return [likes - 2 * next_likes]
    # The newest windows look most like the cuts to come, and a cap keeps heavy users from drowning the others.
    windows = range(likes - 3 * next_likes, _first_window(events, next_likes) - 1, -next_likes)
    return list(windows)[:_MOST_WINDOWS]


def _cut(user: str, events: Events, first: int, next_likes: int) -> HistoryCut:
    likes = events.likes
    return HistoryCut(
        user,
        events.items[likes[:first]],
        events.items[: likes[first]],
        events.items[likes[first : first + next_likes]],
    )
