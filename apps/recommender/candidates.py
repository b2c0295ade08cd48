"""From a history of films to candidates, and what is known about each of them."""

from collections.abc import Sequence

import numpy as np

from apps.recommender.data import MovieLens
from apps.recommender.diversity import Distances, diverse_lists
from apps.recommender.retriever import Retriever
from apps.recommender.splits import retriever_histories
from core.envs.observations import Observations, join

CANDIDATES = 200
RECENT = 10
FEATURES = (
    "retriever",
    "popularity",
    "co_occurrence",
    "genre_affinity",
    "text_affinity",
    "year_affinity",
    "year",
    "novel_among_best",
    "place_if_varied",
    "place_if_very_varied",
)
POPULARITY, CO_OCCURRENCE = FEATURES.index("popularity"), FEATURES.index("co_occurrence")

_TRADE_OFFS = (8.0, 24.0)
_PLACES = 20
_BATCH = 128


class CandidateBuilder:
    """Makes states for the ranker; every count comes from the retriever's share of the data, so nothing leaks.

    Args:
        data: films and events.
        retriever: finds candidates.
    """

    def __init__(self, data: MovieLens, retriever: Retriever) -> None:
        self.data, self.retriever = data, retriever
        self.distances = Distances(data, retriever.texts)
        histories = retriever_histories(data)
        # A row for each film: the users of a few films lie together in memory, and are fetched four times as fast.
        likes = np.zeros((len(data.items), len(histories)), dtype=np.float32)
        for user, history in enumerate(histories):
            likes[history, user] = 1.0
        self.popularity = likes.sum(axis=1)
        # Shrunk, so that two films that one and the same user liked do not count as inseparable.
        self._likes = likes / np.sqrt(self.popularity + 10.0)[:, None]
        self._log_popularity = np.log1p(self.popularity) / np.log1p(self.popularity.max())

    def states(self, histories: Sequence[np.ndarray], seen: Sequence[np.ndarray]) -> Observations:
        """Columns `history`, `candidates` and `features` (see `CandidateHead`), best retrieved first.

        Args:
            histories: films that each user likes, oldest first.
            seen: films that must not be shown again.
        """
        return join(
            [
                self._batch(histories[at : at + _BATCH], seen[at : at + _BATCH])
                for at in range(0, len(histories), _BATCH)
            ]
        )

    def describe(self, histories: Sequence[np.ndarray], queries: np.ndarray, candidates: np.ndarray) -> Observations:
        """States with given candidates.

        Args:
            histories: films that each user likes, oldest first.
            queries: what the retriever makes of the histories, see `Retriever.queries`.
            candidates: int64 of shape (states, candidates).
        """
        features = np.stack(self._features(histories, queries, candidates), axis=2).astype(np.float32)
        return {"history": tuple(histories), "candidates": candidates, "features": features}

    def co_occurrence(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        """Item-to-item cosine of every film to the most recent films of each history, float32 (histories, items)."""
        users = np.stack([self._likes[history[-RECENT:]].sum(axis=0) for history in histories])
        return (self._likes @ users.T).T

    def closeness(self, films: np.ndarray, others: np.ndarray) -> np.ndarray:
        """How near films are to each other: mean of vector cosine and co-occurrence, float32 (films, others)."""
        cosine = self.retriever.vectors[films] @ self.retriever.vectors[others].T
        together = self._likes[films] @ self._likes[others].T
        return 0.5 * (cosine + together)

    def fame(self, film: int) -> float:
        """Popularity of a film on a logarithmic scale from 0 (nobody) to 1 (the best-loved of all)."""
        return float(self._log_popularity[film])

    def _batch(self, histories: Sequence[np.ndarray], seen: Sequence[np.ndarray]) -> Observations:
        queries = self.retriever.queries(histories)
        return self.describe(histories, queries, self.retriever.nearest(queries, seen, CANDIDATES))

    def _features(
        self, histories: Sequence[np.ndarray], queries: np.ndarray, candidates: np.ndarray
    ) -> list[np.ndarray]:
        """Features in the order of `FEATURES`, each of shape (states, candidates)."""
        vectors, texts = self.retriever.vectors, self.retriever.texts
        retrieved = _standard(np.einsum("nw,ncw->nc", queries, vectors[candidates]))
        together = _standard(np.take_along_axis(self.co_occurrence(histories), candidates, axis=1))
        genres = _unit(_recent_mean(self.data.genres, histories))
        years = _recent_mean(self.data.years[:, None], histories)
        distances = self.distances.within(candidates)
        best = np.argsort(-retrieved, axis=1, kind="stable")[:, :RECENT]
        to_best = np.take_along_axis(distances, best[:, None, :], axis=2).mean(axis=2)
        relevance = retrieved + together
        return [
            retrieved,
            _standard(self._log_popularity[candidates]),
            together,
            _standard(np.einsum("ng,ncg->nc", genres, _unit(self.data.genres[candidates]))),
            _standard(np.einsum("nw,ncw->nc", _recent_mean(texts, histories), texts[candidates])),
            -np.abs(self.data.years[candidates] - years) / 10.0,
            (self.data.years[candidates] - 1990.0) / 10.0,
            _standard(to_best),
            *(_places(diverse_lists(relevance, distances, trade_off, _PLACES), relevance) for trade_off in _TRADE_OFFS),
        ]


def _places(order: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Discount of each candidate's place in a list, 0 for those that are not in it."""
    places = np.zeros_like(like)
    discounts = 20.0 / np.log2(np.arange(order.shape[1]) + 2.0)
    np.put_along_axis(places, order, np.broadcast_to(discounts, order.shape).astype(places.dtype), axis=1)
    return places


def _recent_mean(values: np.ndarray, histories: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of `values` over each history's most recent films; the mean over all films for an empty one."""
    return np.stack([(values[history[-RECENT:]] if len(history) else values).mean(axis=0) for history in histories])


def _standard(values: np.ndarray) -> np.ndarray:
    """Each row with mean 0 and deviation 1."""
    spread = values.std(axis=1, keepdims=True)
    return (values - values.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-6)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)
