"""Who is who: the people whose likes the policy may know, and those who stand behind simulated visitors."""

import hashlib
from typing import Literal

import numpy as np
from scipy.sparse.linalg import svds
from scipy.special import ndtri

from apps.recommender.data import Events, ShopData
from apps.recommender.ease import likes_table

Group = Literal["policy", "train", "validation", "test"]

# So many of a hundred people stand behind visitors; all others, and those with few likes, are the policy's data.
_SHARES: dict[Group, int] = {"train": 30, "validation": 14, "test": 20}
FEWEST_LIKES = 20


def group_of(user: str, events: Events) -> Group:
    """The group that a user belongs to, by a checksum of their id, whatever else the data hold."""
    if len(events.likes) < FEWEST_LIKES:
        return "policy"
    number = int.from_bytes(hashlib.sha256(user.encode()).digest()[:4], "little") % 100
    for group, share in _SHARES.items():
        number -= share
        if number < 0:
            return group
    return "policy"


def likes_of(data: ShopData, group: Group) -> list[np.ndarray]:
    """What each person of a group likes, oldest first, int64."""
    return [events.items[events.likes] for user, events in data.users.items() if group_of(user, events) == group]


def tastes(histories: list[np.ndarray], items: int, *, rank: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """How well each item fits each person, by a factorisation of what they and people of their group like.

    Truncated singular values of the table of likes (PureSVD, Cremonesi et al. 2010), over the items' popularity: so
    that, as with real next likes, a rule that adds popularity to EASE's scores loses by it (`docs/sessions.md`).

    Args:
        histories: All that each person likes, what comes after a visit included; rows below `items`.
        items: Number of items.
        rank: Number of singular values.
        seed: Seed of the factorisation's start.

    Returns:
        Deviations from the middle of the catalogue, by rank, as of a normal distribution: float32 of shape (people,
        items); and vectors of the items, float32 of shape (items, rank).
    """
    table = likes_table(histories, [np.ones(len(history)) for history in histories], items)
    weight = np.sqrt(np.asarray(table.sum(axis=0)).ravel() + 5.0)
    left, values, right = svds(table.multiply(1 / weight).tocsr(), k=rank, rng=np.random.default_rng(seed))
    scores = (left * values) @ right / weight
    places = scores.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    return ndtri((places + 0.5) / items).astype(np.float32), right.T.astype(np.float32)
