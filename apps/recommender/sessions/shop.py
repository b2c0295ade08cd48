"""What the policy may know of a shop while it meets simulated visitors: EASE of other people, and what is alike."""

from dataclasses import dataclass

import numpy as np

from apps.recommender.data import ShopData
from apps.recommender.diversity import Distances
from apps.recommender.ease import Ease
from apps.recommender.list_rule import ListRule
from apps.recommender.sessions.people import likes_of

_FEWEST_LIKES, _BATCH = 3, 500


@dataclass(frozen=True)
class SessionShop:
    """The items that enough people like, numbered anew.

    Attributes:
        items: Row of each item among `ShopData.items`, int64 of shape (items,).
        weights: Weight of a like of one item for another, float32 of shape (items, items).
        alike: 1 - distance, float32 of shape (items, items).
        tags: Unit-length vector of each item's tags, float32 of shape (items, tags).
        popularity: From 0 (nobody likes it) to 1, float32 of shape (items,).
        half_life: Number of likes after which an older one counts half.
    """

    items: np.ndarray
    weights: np.ndarray
    alike: np.ndarray
    tags: np.ndarray
    popularity: np.ndarray
    half_life: float

    def numbered(self, histories: list[np.ndarray]) -> list[np.ndarray]:
        """Histories of rows among `ShopData.items` by the numbers here; other items are left out."""
        number = np.full(self.items.max() + 1, -1)
        number[self.items] = np.arange(len(self.items))
        known = [history[history < len(number)] for history in histories]
        return [found[found >= 0] for found in (number[history] for history in known)]

    def scores(self, history: np.ndarray) -> np.ndarray:
        """How well EASE thinks that each item fits a history, oldest first, float32 of shape (items,)."""
        ages = np.arange(len(history))[::-1]
        return (0.5 ** (ages / self.half_life)).astype(np.float32) @ self.weights[history]


def session_shop(data: ShopData, distances: Distances, rule: ListRule) -> SessionShop:
    """A shop of which the likes of the policy's people are known.

    Args:
        data: Items and events.
        distances: Distances between items.
        rule: Rule by which EASE weighs likes.
    """
    histories = likes_of(data, "policy")
    popularity = np.bincount(np.concatenate(histories), minlength=len(data.items))
    items = np.flatnonzero(popularity >= _FEWEST_LIKES)
    ease = Ease(histories, len(data.items), rule.regularisation)
    starts = range(0, len(items), _BATCH)
    weights = np.concatenate([ease.scores(list(items[at : at + _BATCH, None]), 1.0)[:, items] for at in starts])
    alike = 1.0 - np.concatenate([distances.between(items[None, at : at + _BATCH], items[None])[0] for at in starts])
    tags = unit(data.tags[items])
    logs = np.log1p(popularity[items]) / np.log1p(popularity.max())
    return SessionShop(items, weights / rule.scale, alike, tags, logs.astype(np.float32), rule.half_life)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1, or 0."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)
