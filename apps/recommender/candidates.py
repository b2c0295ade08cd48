"""From a history of items to candidates, and what is known about each of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from apps.recommender.data import ShopData
from apps.recommender.diversity import Distances
from apps.recommender.ease import Ease
from apps.recommender.list_rule import ListRule
from apps.recommender.ranking import highest
from apps.recommender.retriever import Retriever
from core.envs.observations import Observations, join, take

CANDIDATES = 200
RECENT = 10

# So many of the candidates are the first choices of the retriever, of co-occurrence and of popularity; EASE finds the
# others. Each holds the ten best of its kind, so that a rule of one kind ranks the whole catalogue.
_RETRIEVED, _TOGETHER, _POPULAR = 30, 30, 20
_BATCH = 128


class CandidateBuilder:
    """Makes states for the ranker; all counts and scores come from the likes that it is given, so nothing else leaks.

    Args:
        data: Items and events.
        retriever: Retriever that gives items and histories vectors.
        histories: Items that each user likes, as far as they may be known, oldest first.
        rule: Rule by which EASE, which finds the candidates, weighs likes.
    """

    def __init__(self, data: ShopData, retriever: Retriever, histories: Sequence[np.ndarray], rule: ListRule) -> None:
        self.data, self.retriever, self.rule = data, retriever, rule
        self.distances = Distances(data, retriever.texts)
        self.ease = Ease(histories, len(data.items), rule.regularisation)
        items = np.concatenate([np.zeros(0, dtype=np.int64), *histories])
        users = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
        self.popularity = np.bincount(items, minlength=len(data.items)).astype(np.float32)
        # Shrunk, so that two items that one and the same user liked do not count as inseparable.
        likes = 1.0 / np.sqrt(self.popularity[items] + 10.0)
        self._likes = csr_array((likes, (items, users)), shape=(len(data.items), len(histories)))
        # From 0 (nobody likes it) to 1 (the best-loved item of all).
        self.log_popularity = np.log1p(self.popularity) / np.log1p(max(self.popularity.max(), 1.0))

    def states(self, histories: Sequence[np.ndarray], seen: Sequence[np.ndarray]) -> Observations:
        """Columns `history`, `candidates` and `features` (see `DiverseListHead`), highest score first.

        Args:
            histories: Items that each user likes, oldest first.
            seen: Items that must not be shown again.
        """
        return join(
            [
                self._batch(histories[start : start + _BATCH], seen[start : start + _BATCH])
                for start in range(0, len(histories), _BATCH)
            ]
        )

    def describe(self, histories: Sequence[np.ndarray], queries: np.ndarray, candidates: np.ndarray) -> Observations:
        """States with given candidates.

        Args:
            histories: Items that each user likes, oldest first.
            queries: Vectors that the retriever makes of the histories, see `Retriever.queries`.
            candidates: Items to rank, int64 of shape (states, candidates).
        """
        pool = _Pool(
            histories,
            candidates,
            scores=np.take_along_axis(self.scores(histories), candidates, axis=1),
            retrieved=_standard(np.einsum("nw,ncw->nc", queries, self.retriever.vectors[candidates])),
        )
        features = np.stack([feature(self, pool) for feature in FEATURES.values()], axis=2)
        return {"history": tuple(histories), "candidates": candidates, "features": features.astype(np.float32)}

    def co_occurrence(self, histories: Sequence[np.ndarray], count: int = RECENT) -> np.ndarray:
        """Item-to-item cosine of every item to the most recent items of each history, float32 (histories, items).

        Args:
            histories: Items that each user likes, oldest first.
            count: Number of items that are recent.
        """
        recent = [history[-count:] for history in histories]
        ends = np.cumsum([0, *(len(items) for items in recent)])
        picked = np.concatenate([np.zeros(0, dtype=np.int64), *recent])
        chosen = csr_array((np.ones(len(picked), np.float32), picked, ends), shape=(len(recent), len(self.popularity)))
        return (self._likes @ (chosen @ self._likes).toarray().T).T

    def closeness(self, items: np.ndarray, others: np.ndarray) -> np.ndarray:
        """How near items are to each other: mean of vector cosine and co-occurrence, float32 (items, others)."""
        cosine = self.retriever.vectors[items] @ self.retriever.vectors[others].T
        together = (self._likes[items] @ self._likes[others].T).toarray()
        return 0.5 * (cosine + together)

    def scores(self, histories: Sequence[np.ndarray], half_life: float | None = None) -> np.ndarray:
        """How well EASE thinks that each item fits each history, float32 (histories, items); the best are near 1.

        Args:
            histories: Items that each user likes, oldest first.
            half_life: Number of likes after which an older one counts half; the rule's by default.
        """
        return self.ease.scores(histories, half_life or self.rule.half_life) / self.rule.scale

    def best(self, histories: Sequence[np.ndarray], seen: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Items that are not in `seen`, highest score of EASE first: `CANDIDATES`, or what is left, int64.

        They are the first choices of the retriever, of co-occurrence and of popularity, and what EASE likes beside.
        """
        # of what goes with nothing, the best loved
        scores = _unseen(self.scores(histories) + 1e-6 * self.log_popularity, seen)
        together = _unseen(self.co_occurrence(histories), seen)
        popular = _unseen(np.broadcast_to(self.log_popularity, scores.shape).copy(), seen)
        is_first = np.zeros(scores.shape, dtype=bool)
        np.put_along_axis(is_first, highest(together, _TOGETHER), values=True, axis=1)
        np.put_along_axis(is_first, highest(popular, _POPULAR), values=True, axis=1)
        retrieved = self.retriever.nearest(self.retriever.queries(histories), seen, _RETRIEVED)
        for row, items in zip(is_first, retrieved, strict=True):
            row[items] = True
        found = highest(np.where(is_first & np.isfinite(scores), np.inf, scores), CANDIDATES)
        order = np.argsort(-np.take_along_axis(scores, found, axis=1), axis=1, kind="stable")
        left = np.isfinite(scores).sum(axis=1)
        return [row[:count] for row, count in zip(np.take_along_axis(found, order, axis=1), left, strict=True)]

    def _batch(self, histories: Sequence[np.ndarray], seen: Sequence[np.ndarray]) -> Observations:
        queries = self.retriever.queries(histories)
        found = self.best(histories, seen)
        sizes = [len(items) for items in found]
        groups = [[row for row, size in enumerate(sizes) if size == each] for each in sorted(set(sizes))]
        states = [
            padded(self.describe([histories[at] for at in rows], queries[rows], np.stack([found[at] for at in rows])))
            for rows in groups
        ]
        return take(join(states), np.argsort(np.concatenate(groups)))


def padded(states: Observations) -> Observations:
    """States of fewer than `CANDIDATES` candidates, filled up with none."""
    candidates, features = np.asarray(states["candidates"]), np.asarray(states["features"])
    missing = CANDIDATES - candidates.shape[1]
    return {
        **states,
        "candidates": np.pad(candidates, ((0, 0), (0, missing)), constant_values=-1),
        "features": np.pad(features, ((0, 0), (0, missing), (0, 0))),
    }


@dataclass(frozen=True)
class _Pool:
    """Candidates of some states, and what several features are made from.

    Attributes:
        histories: Items that each user likes, oldest first.
        candidates: Items to rank, int64 of shape (states, candidates), as all that follow.
        scores: Scores of EASE.
        retrieved: Similarity to the retriever's query.
    """

    histories: Sequence[np.ndarray]
    candidates: np.ndarray
    scores: np.ndarray
    retrieved: np.ndarray


# What the ranker sees of each candidate, of shape (states, candidates), in the order of its columns.
FEATURES: Mapping[str, Callable[[CandidateBuilder, _Pool], np.ndarray]] = {
    "ease": lambda shop, pool: pool.scores,
    "ease_standard": lambda shop, pool: _standard(pool.scores),
    "retriever": lambda shop, pool: pool.retrieved,
    "popularity": lambda shop, pool: _standard(shop.log_popularity[pool.candidates]),
    "co_occurrence": lambda shop, pool: _co_occurrence(shop, pool, RECENT),
    "co_occurrence_last": lambda shop, pool: _co_occurrence(shop, pool, 1),
    "ease_last": lambda shop, pool: _ease(shop, pool, 1.0),
    "ease_long": lambda shop, pool: _ease(shop, pool, 30.0),
    "ease_whole": lambda shop, pool: _ease(shop, pool, 1000.0),
    "tag_affinity": lambda shop, pool: _tag_affinity(shop.data.tags, pool),
    "text_affinity": lambda shop, pool: _text_affinity(shop.retriever.texts, pool),
    "year_affinity": lambda shop, pool: _year_affinity(shop.data.years, pool),
    "year": lambda shop, pool: (shop.data.years[pool.candidates] - 1990.0) / 10.0,
    "scarcity": lambda shop, pool: 1.0 - shop.log_popularity[pool.candidates],
    "likes": lambda shop, pool: np.broadcast_to(_log_lengths(pool.histories)[:, None], pool.scores.shape),
}


def _ease(shop: CandidateBuilder, pool: _Pool, half_life: float) -> np.ndarray:
    return np.take_along_axis(shop.scores(pool.histories, half_life), pool.candidates, axis=1)


def _co_occurrence(shop: CandidateBuilder, pool: _Pool, count: int) -> np.ndarray:
    return _standard(np.take_along_axis(shop.co_occurrence(pool.histories, count), pool.candidates, axis=1))


def _unseen(values: np.ndarray, seen: Sequence[np.ndarray]) -> np.ndarray:
    for row, items in zip(values, seen, strict=True):
        row[items] = -np.inf
    return values


def _tag_affinity(tags: np.ndarray, pool: _Pool) -> np.ndarray:
    wanted = _unit(_recent_mean(tags, pool.histories))
    return _standard(np.einsum("ng,ncg->nc", wanted, _unit(tags[pool.candidates])))


def _text_affinity(texts: np.ndarray, pool: _Pool) -> np.ndarray:
    return _standard(np.einsum("nw,ncw->nc", _recent_mean(texts, pool.histories), texts[pool.candidates]))


def _year_affinity(years: np.ndarray, pool: _Pool) -> np.ndarray:
    return -np.abs(years[pool.candidates] - _recent_mean(years[:, None], pool.histories)) / 10.0


def _log_lengths(histories: Sequence[np.ndarray]) -> np.ndarray:
    return np.log1p([len(history) for history in histories]) / 5.0


def _recent_mean(values: np.ndarray, histories: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of `values` over each history's most recent items; the mean over all items for an empty one."""
    return np.stack([(values[history[-RECENT:]] if len(history) else values).mean(axis=0) for history in histories])


def _standard(values: np.ndarray) -> np.ndarray:
    """Each row with mean 0 and deviation 1."""
    spread = values.std(axis=1, keepdims=True)
    return (values - values.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-6)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)
