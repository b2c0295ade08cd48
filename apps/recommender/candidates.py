"""From a history of films to candidates, and what is known about each of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from apps.recommender.data import MovieLens
from apps.recommender.diversity import Distances
from apps.recommender.ease import Ease
from apps.recommender.list_rule import ListRule
from apps.recommender.retriever import Retriever
from core.envs.observations import Observations, join

CANDIDATES = 200
RECENT = 10

_BATCH = 128


class CandidateBuilder:
    """Makes states for the ranker; all counts and scores come from the likes that it is given, so nothing else leaks.

    Args:
        data: Films and events.
        retriever: Retriever that gives films and histories vectors.
        histories: Films that each user likes, as far as they may be known, oldest first.
        rule: How EASE, which finds the candidates, weighs likes.
    """

    def __init__(self, data: MovieLens, retriever: Retriever, histories: Sequence[np.ndarray], rule: ListRule) -> None:
        self.data, self.retriever, self.rule = data, retriever, rule
        self.distances = Distances(data, retriever.texts)
        self.ease = Ease(histories, len(data.items), rule.regularisation)
        # A row for each film: the users of a few films lie together in memory, and are fetched four times as fast.
        likes = np.zeros((len(data.items), len(histories)), dtype=np.float32)
        for user, history in enumerate(histories):
            likes[history, user] = 1.0
        self.popularity = likes.sum(axis=1)
        # Shrunk, so that two films that one and the same user liked do not count as inseparable.
        self._likes = likes / np.sqrt(self.popularity + 10.0)[:, None]
        # From 0 (nobody likes it) to 1 (the best-loved film of all).
        self.log_popularity = np.log1p(self.popularity) / np.log1p(self.popularity.max())

    def states(self, histories: Sequence[np.ndarray], seen: Sequence[np.ndarray]) -> Observations:
        """Columns `history`, `candidates` and `features` (see `DiverseListHead`), highest score first.

        Args:
            histories: Films that each user likes, oldest first.
            seen: Films that must not be shown again.
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
            histories: Films that each user likes, oldest first.
            queries: Vectors that the retriever makes of the histories, see `Retriever.queries`.
            candidates: Films to rank, int64 of shape (states, candidates).
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
        """Item-to-item cosine of every film to the most recent films of each history, float32 (histories, items)."""
        users = np.stack([self._likes[history[-RECENT:]].sum(axis=0) for history in histories])
        return (self._likes @ users.T).T

    def closeness(self, films: np.ndarray, others: np.ndarray) -> np.ndarray:
        """How near films are to each other: mean of vector cosine and co-occurrence, float32 (films, others)."""
        cosine = self.retriever.vectors[films] @ self.retriever.vectors[others].T
        together = self._likes[films] @ self._likes[others].T
        return 0.5 * (cosine + together)

    def scores(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        """How well EASE thinks that each film fits each history, float32 (histories, films); the best are near 1."""
        return self.ease.scores(histories, self.rule.half_life) / self.rule.scale

    def best(self, histories: Sequence[np.ndarray], seen: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The `CANDIDATES` films of the highest scores that are not in `seen`, best first, int64; or what is left."""
        scores = self.scores(histories) + 1e-6 * self.log_popularity  # of what goes with nothing, the best loved
        for row, films in zip(scores, seen, strict=True):
            row[films] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :CANDIDATES]
        return [row[: scores.shape[1] - len(np.unique(films))] for row, films in zip(order, seen, strict=True)]

    def _batch(self, histories: Sequence[np.ndarray], seen: Sequence[np.ndarray]) -> Observations:
        return self.describe(histories, self.retriever.queries(histories), np.stack(self.best(histories, seen)))


@dataclass(frozen=True)
class _Pool:
    """Candidates of some states, and what several features are made from.

    Attributes:
        histories: Films that each user likes, oldest first.
        candidates: Films to rank, int64 of shape (states, candidates), as all that follow.
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
    "ease": lambda films, pool: pool.scores,
    "ease_standard": lambda films, pool: _standard(pool.scores),
    "retriever": lambda films, pool: pool.retrieved,
    "popularity": lambda films, pool: _standard(films.log_popularity[pool.candidates]),
    "co_occurrence": lambda films, pool: pool.together,
    "genre_affinity": lambda films, pool: _genre_affinity(films.data.genres, pool),
    "text_affinity": lambda films, pool: _text_affinity(films.retriever.texts, pool),
    "year_affinity": lambda films, pool: _year_affinity(films.data.years, pool),
    "year": lambda films, pool: (films.data.years[pool.candidates] - 1990.0) / 10.0,
    "scarcity": lambda films, pool: 1.0 - films.log_popularity[pool.candidates],
    "likes": lambda films, pool: np.broadcast_to(_log_lengths(pool.histories)[:, None], pool.scores.shape),
}


def _genre_affinity(genres: np.ndarray, pool: _Pool) -> np.ndarray:
    wanted = _unit(_recent_mean(genres, pool.histories))
    return _standard(np.einsum("ng,ncg->nc", wanted, _unit(genres[pool.candidates])))


def _text_affinity(texts: np.ndarray, pool: _Pool) -> np.ndarray:
    return _standard(np.einsum("nw,ncw->nc", _recent_mean(texts, pool.histories), texts[pool.candidates]))


def _year_affinity(years: np.ndarray, pool: _Pool) -> np.ndarray:
    return -np.abs(years[pool.candidates] - _recent_mean(years[:, None], pool.histories)) / 10.0


def _log_lengths(histories: Sequence[np.ndarray]) -> np.ndarray:
    return np.log1p([len(history) for history in histories]) / 5.0


def _recent_mean(values: np.ndarray, histories: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of `values` over each history's most recent films; the mean over all films for an empty one."""
    return np.stack([(values[history[-RECENT:]] if len(history) else values).mean(axis=0) for history in histories])


def _standard(values: np.ndarray) -> np.ndarray:
    """Each row with mean 0 and deviation 1."""
    spread = values.std(axis=1, keepdims=True)
    return (values - values.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-6)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)
