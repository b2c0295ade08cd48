"""What computes for the recommender: retrieval, the policy, and what a visitor's words are near to."""

from dataclasses import dataclass

import numpy as np
import torch

from apps.recommender.candidates import CANDIDATES
from apps.recommender.task import Recommender
from core.models.encoder import TextEncoder
from core.training.run import Run, trained_policy

_SEEDS = 5
_SEED_LIKES = 10
# The words are a second witness beside the policy: a deviation of similarity counts as much as this many nats.
_WORDS_WEIGHT = 1.5


@dataclass(frozen=True)
class Wanted:
    """What a list is made from.

    Attributes:
        liked: Items that the visitor likes, oldest first.
        seen: Items that must not be shown again.
        words: Words that the visitor wrote; may be empty.
    """

    liked: np.ndarray
    seen: np.ndarray
    words: str


@dataclass(frozen=True)
class Scored:
    """Candidates of a visitor.

    Attributes:
        history: Items that stand for the visitor's taste, oldest first.
        candidates: Items to choose from.
        scores: Score of each candidate in nats.
        similarity: Similarity of every item to the words, if there were any.
    """

    history: np.ndarray
    candidates: np.ndarray
    scores: np.ndarray
    similarity: np.ndarray | None


class RecommenderEngine:
    """Scores items by the trained policy, for many visitors at once; keeps nothing of them.

    Args:
        task: Task as its run was trained.
        run: Run that holds the trained policy.

    Raises:
        SteerError: The run holds none.
    """

    def __init__(self, task: Recommender, run: Run) -> None:
        self.policy, self._builder = trained_policy(task, run), task.builder
        self._encoder = TextEncoder(task.settings.encoder.name, max_length=128)
        self._encoder.for_serving()

    def lists(self, wanted: list[Wanted]) -> list[Scored]:
        """The candidates of each, with their scores."""
        similarities = self._similarities([each.words for each in wanted])
        seen = [each.seen for each in wanted]
        histories = [
            each.liked if len(each.liked) or similarity is None else self._seeds(similarity, each.seen)
            for each, similarity in zip(wanted, similarities, strict=True)
        ]
        queries = self._builder.retriever.queries(histories)
        found = self._builder.retriever.nearest(queries, seen, CANDIDATES)
        candidates = [_with_nearest(*each) for each in zip(found, seen, similarities, strict=True)]
        scores = self._scores(histories, queries, candidates)
        return [_scored(*each) for each in zip(histories, candidates, scores, similarities, strict=True)]

    @torch.no_grad()
    def _scores(
        self, histories: list[np.ndarray], queries: np.ndarray, candidates: list[np.ndarray]
    ) -> list[np.ndarray]:
        """The policy's scores of each visitor's candidates, float32; no distribution is needed to rank them."""
        scores = [np.zeros(0, dtype=np.float32)] * len(candidates)
        # Nearly all visitors have as many candidates; those who have seen almost everything are ranked by themselves.
        for size in {len(items) for items in candidates} - {0}:
            rows = [row for row, items in enumerate(candidates) if len(items) == size]
            taste = [histories[row] for row in rows]
            states = self._builder.describe(taste, queries[rows], np.stack([candidates[row] for row in rows]))
            for row, ranked in zip(rows, self.policy.head(self.policy.encoder(taste), states).numpy(), strict=True):
                scores[row] = ranked
        return scores

    def _similarities(self, words: list[str]) -> list[np.ndarray | None]:
        """Cosine of every item's text to each visitor's words, float32 of shape (items,); None where there are none."""
        texts = [text for text in words if text]
        vectors = iter(self._encoder.embed(texts) if texts else ())
        return [self._builder.retriever.texts @ next(vectors) if text else None for text in words]

    def _seeds(self, similarity: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Well-liked items nearest to the words, least near first: they stand in for a history."""
        popularity = self._builder.popularity
        fits = np.where(popularity >= min(_SEED_LIKES, popularity.max() / 4), similarity, -1.0)
        fits[seen] = -1.0
        return np.argsort(-fits, kind="stable")[:_SEEDS][::-1].astype(np.int64)


def _with_nearest(found: np.ndarray, seen: np.ndarray, similarity: np.ndarray | None) -> np.ndarray:
    """What the retriever found; with words, half of the candidates are the items nearest to them."""
    if similarity is None:
        return found
    near = np.argsort(-similarity, kind="stable")
    near = near[~np.isin(near, seen)][: CANDIDATES // 2]
    return np.concatenate([near, found[~np.isin(found, near)]])[:CANDIDATES]


def _scored(history: np.ndarray, candidates: np.ndarray, scores: np.ndarray, similarity: np.ndarray | None) -> Scored:
    if similarity is not None and len(candidates):
        scores = scores + _WORDS_WEIGHT * _standard(similarity[candidates])
    return Scored(history, candidates, scores, similarity)


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / max(float(values.std()), 1e-6)
