"""From a history of items to candidates, and what is known about each of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from apps.recommender.data import ShopData
from apps.recommender.diversity import Distances
from apps.recommender.ease import Ease
from apps.recommender.list_rule import ListRule
from apps.recommender.retriever import Retriever
from core.envs.observations import Observations, join, take

CANDIDATES = 200
RECENT = 10

_BATCH = 128


class CandidateBuilder:
    """Makes states for the ranker; all counts and scores come from the likes that it is given, so nothing else leaks.

    Args:
        data: Items and events.
        retriever: Retriever that gives items and histories vectors.
        histories: Items that each user likes, as far as they may be known, oldest first.
        rule: How EASE, which finds the candidates, weighs likes.
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
            together=_standard(np.take_along_axis(self.co_occurrence(histories), candidates, axis=1)),
        )
        features = np.stack([feature(self, pool) for feature in FEATURES.values()], axis=2)
        return {"history": tuple(histories), "candidates": candidates, "features": features.astype(np.float32)}

    def co_occurrence(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        """Item-to-item cosine of every item to the most recent items of each history, float32 (histories, items)."""
        recent = [history[-RECENT:] for history in histories]
        ends = np.cumsum([0, *(len(items) for items in recent)])
        picked = np.concatenate([np.zeros(0, dtype=np.int64), *recent])
        chosen = csr_array((np.ones(len(picked), np.float32), picked, ends), shape=(len(recent), len(self.popularity)))
        return (self._likes @ (chosen @ self._likes).toarray().T).T

    def closeness(self, items: np.ndarray, others: np.ndarray) -> np.ndarray:
        """How near items are to each other: mean of vector cosine and co-occurrence, float32 (items, others)."""
        cosine = self.retriever.vectors[items] @ self.retriever.vectors[others].T
        together = (self._likes[items] @ self._likes[others].T).toarray()
        return 0.5 * (cosine + together)

    def scores(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        """How well EASE thinks that each item fits each history, float32 (histories, items); the best are near 1."""
        return self.ease.scores(histories, self.rule.half_life) / self.rule.scale

    def best(self, histories: Sequence[np.ndarray], seen: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The `CANDIDATES` items of the highest scores that are not in `seen`, best first, int64; or what is left."""
        scores = self.scores(histories) + 1e-6 * self.log_popularity  # of what goes with nothing, the best loved
        for row, items in zip(scores, seen, strict=True):
            row[items] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :CANDIDATES]
        return [row[: scores.shape[1] - len(np.unique(items))] for row, items in zip(order, seen, strict=True)]

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
        together: How often they are liked together with the recent likes.
    """

    histories: Sequence[np.ndarray]
    candidates: np.ndarray
    scores: np.ndarray
    retrieved: np.ndarray
    together: np.ndarray


# What the ranker sees of each candidate, of shape (states, candidates), in the order of its columns.
FEATURES: Mapping[str, Callable[[CandidateBuilder, _Pool], np.ndarray]] = {
    "ease": lambda shop, pool: pool.scores,
    "ease_standard": lambda shop, pool: _standard(pool.scores),
    "retriever": lambda shop, pool: pool.retrieved,
    "popularity": lambda shop, pool: _standard(shop.log_popularity[pool.candidates]),
    "co_occurrence": lambda shop, pool: pool.together,
    "tag_affinity": lambda shop, pool: _tag_affinity(shop.data.tags, pool),
    "text_affinity": lambda shop, pool: _text_affinity(shop.retriever.texts, pool),
    "year_affinity": lambda shop, pool: _year_affinity(shop.data.years, pool),
    "year": lambda shop, pool: (shop.data.years[pool.candidates] - 1990.0) / 10.0,
    "scarcity": lambda shop, pool: 1.0 - shop.log_popularity[pool.candidates],
    "likes": lambda shop, pool: np.broadcast_to(_log_lengths(pool.histories)[:, None], pool.scores.shape),
}


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
