"""What computes for the recommender: retrieval, the policy, and what a visitor's words are near to."""

from dataclasses import dataclass

import numpy as np

from apps.recommender.candidates import CANDIDATES
from apps.recommender.task import Recommender
from core.models.encoder import TextEncoder
from core.training.loader import open_task
from core.training.run import Run, trained_policy

_SEEDS = 5
_SEED_LIKES = 10
# The words are a second witness beside the policy: a deviation of similarity counts as much as this many nats.
_WORDS_WEIGHT = 1.5


@dataclass(frozen=True)
class Wanted:
    """What a list is made from: films liked, oldest first, films that must not be shown again, and words."""

    liked: np.ndarray
    seen: np.ndarray
    words: str


@dataclass(frozen=True)
class Scored:
    """Candidates of a history with their scores, and the similarity of every film to the words, if there were any."""

    history: np.ndarray
    candidates: np.ndarray
    scores: np.ndarray
    said: np.ndarray | None


class RecommenderEngine:
    """Scores films by the trained policy, for many visitors at once; keeps nothing of them.

    Args:
        run: Run that holds the trained policy.

    Raises:
        SteerError: The run holds none.
    """

    def __init__(self, run: Run) -> None:
        task = open_task(Recommender, run)
        assert isinstance(task, Recommender)
        self.policy, self._maker = trained_policy(task, run), task.maker
        self._encoder = TextEncoder(task.settings.encoder.name, max_length=128)
        self._encoder.for_serving()

    def lists(self, wanted: list[Wanted]) -> list[Scored]:
        """The candidates of each, with their scores."""
        said = self._similarities([each.words for each in wanted])
        seen = [each.seen for each in wanted]
        histories = [
            each.liked if len(each.liked) or similar is None else self._seeds(similar, each.seen)
            for each, similar in zip(wanted, said, strict=True)
        ]
        queries = self._maker.retriever.queries(histories)
        found = self._maker.retriever.nearest(queries, seen, CANDIDATES)
        candidates = np.stack([_with_nearest(*each) for each in zip(found, seen, said, strict=True)])
        logits = self.policy.logits(self._maker.describe(histories, queries, candidates)).numpy()
        return [_scored(*each) for each in zip(histories, candidates, logits, said, strict=True)]

    def _similarities(self, words: list[str]) -> list[np.ndarray | None]:
        """Cosine of every film's text to each visitor's words, float32 of shape (items,); None where there are none."""
        vectors = iter(self._encoder.embed([text for text in words if text]))
        return [self._maker.retriever.texts @ next(vectors) if text else None for text in words]

    def _seeds(self, said: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Well-liked films nearest to the words, least near first: they stand in for a history."""
        fits = np.where(self._maker.popularity >= _SEED_LIKES, said, -1.0)
        fits[seen] = -1.0
        return np.argsort(-fits, kind="stable")[:_SEEDS][::-1].astype(np.int64)


def _with_nearest(found: np.ndarray, seen: np.ndarray, said: np.ndarray | None) -> np.ndarray:
    """What the retriever found; with words, half of the candidates are the films nearest to them."""
    if said is None:
        return found
    near = np.argsort(-said, kind="stable")
    near = near[~np.isin(near, seen)][: CANDIDATES // 2]
    return np.concatenate([near, found[~np.isin(found, near)]])[:CANDIDATES]


def _scored(history: np.ndarray, candidates: np.ndarray, logits: np.ndarray, said: np.ndarray | None) -> Scored:
    if said is not None:
        logits = logits + _WORDS_WEIGHT * _standard(said[candidates])
    return Scored(history, candidates, logits, said)


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / max(float(values.std()), 1e-6)
