"""Each user's events cut by time: what a policy may know, and what the user went on to like."""

from dataclasses import dataclass

import numpy as np

from apps.recommender.data import Events, MovieLens
from core.training.task import Split

NEXT = 5
RETRIEVER_SHARE = 0.6
_FEWEST_BEFORE = 5
_MOST_WINDOWS = 12


@dataclass(frozen=True)
class HistoryCut:
    """A user's history, cut at one moment.

    Attributes:
        user: Number of the user in MovieLens.
        liked: Items liked before the cut, oldest first, int64.
        seen: All items rated before the cut, int64.
        relevant: The `NEXT` items that the user liked from the cut on, int64.
    """

    user: int
    liked: np.ndarray
    seen: np.ndarray
    relevant: np.ndarray


def history_cuts(data: MovieLens, split: Split) -> list[HistoryCut]:
    """The cuts of a split.

    The last five likes of a user are the test, the five before them the validation; the newer part of the rest gives
    windows of five likes for training a ranker. What is known at a cut is everything before its first target.
    """
    return [_cut(user, events, first) for user, events in data.users.items() for first in _targets(events, split)]


def retriever_histories(data: MovieLens) -> list[np.ndarray]:
    """Each user's oldest likes, before any cut of any split: what a retriever may learn from."""
    return [events.items[events.likes[: _first_window(events)]] for events in data.users.values()]


def known_histories(data: MovieLens, split: Split) -> dict[int, np.ndarray]:
    """Each user's likes before the cut of a split, all of them for users who are not split; by user.

    What trains knows what validation knows: its own users have to be left out, see `Recommender.environment`.
    """
    hidden = NEXT if split == "test" else 2 * NEXT
    return {
        user: events.items[events.likes[: len(events.likes) - hidden * _is_split(events)]]
        for user, events in data.users.items()
    }


def _is_split(events: Events) -> bool:
    return len(events.likes) >= 2 * NEXT + _FEWEST_BEFORE


def _first_window(events: Events) -> int:
    """Which like begins the first training window; users with few likes have none."""
    likes = len(events.likes)
    return int(RETRIEVER_SHARE * (likes - 2 * NEXT)) if _is_split(events) else likes


def _targets(events: Events, split: Split) -> list[int]:
    """Which like is the first target of each cut."""
    likes = len(events.likes)
    if not _is_split(events):
        return []
    if split == "test":
        return [likes - NEXT]
    if split == "validation":
        return [likes - 2 * NEXT]
    # The newest windows look most like the cuts to come, and a cap keeps heavy users from drowning the others.
    windows = range(likes - 3 * NEXT, _first_window(events) - 1, -NEXT)
    return list(windows)[:_MOST_WINDOWS]


def _cut(user: int, events: Events, first: int) -> HistoryCut:
    likes = events.likes
    return HistoryCut(
        user,
        events.items[likes[:first]],
        events.items[: likes[first]],
        events.items[likes[first : first + NEXT]],
    )
