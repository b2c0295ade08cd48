"""What computes for the recommender: retrieval, the policy, and what a visitor's words are near to."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from apps.recommender.candidates import CANDIDATES
from apps.recommender.splits import PICKS
from apps.recommender.task import Recommender
from apps.recommender.wishes.listening import Listener
from apps.recommender.wishes.wish import NO_WISH, Condition, Wish
from core.models.distributions import ChoiceDistribution, PlackettLuce
from core.models.encoder import TextEncoder
from core.rl.explore import Explorer
from core.training.run import Run, trained_policy

# The words are a second witness beside the policy: a deviation of similarity over the catalogue counts as much as this
# many nats, and for a visitor of whom nothing else is known, a deviation of popularity as much as this share of it.
# Chosen by the share of fitting films among those shown (`testing/wishes.py`).
_WORDS_WEIGHT = 8.0
_POPULARITY_SHARE = 0.25


@dataclass(frozen=True)
class Wanted:
    """What a list is made from.

    Attributes:
        liked: Items that the visitor likes, oldest first.
        seen: Items that must not be shown again.
        words: Words that the visitor wrote; may be empty.
        explorer: Explorer that picks the list by its probability.
    """

    liked: np.ndarray
    seen: np.ndarray
    words: str
    explorer: Explorer


@dataclass(frozen=True)
class Listed:
    """Candidates of a visitor, and the list that was made of them.

    Attributes:
        history: Items that the visitor likes, oldest first.
        candidates: Items to choose from.
        scores: Score of each candidate in nats, as the first of the list.
        order: Places of the list's items among the candidates, best first.
        propensity: Probability with which this visitor is shown that very list.
        similarity: Similarity of every item to the words, if there were any.
        wish: Wish that the words express.
        unmet: Conditions of the wish that were given up, as nothing would be left.
    """

    history: np.ndarray
    candidates: np.ndarray
    scores: np.ndarray
    order: np.ndarray
    propensity: float
    similarity: np.ndarray | None
    wish: Wish = NO_WISH
    unmet: tuple[Condition, ...] = ()


_NO_ROWS = np.zeros(0, dtype=np.int64)
_NOTHING = Listed(_NO_ROWS, _NO_ROWS, np.zeros(0, dtype=np.float32), _NO_ROWS, 1.0, None)


class RecommenderEngine:
    """Makes lists by the trained policy, for many visitors at once; keeps nothing of them.

    Args:
        task: Task as its run was trained.
        run: Run that holds the trained policy.
        patience: Seconds that the first visitor who writes in another language than the catalogue's waits for the
            encoder that reads it; None for as long as it takes.

    Raises:
        SteerError: The run holds none.
    """

    def __init__(self, task: Recommender, run: Run, patience: float | None = 10.0) -> None:
        self.policy, self._builder = trained_policy(task, run), task.builder
        self._encoder = TextEncoder(task.settings.encoder.name, max_length=128)
        self._encoder.for_serving()
        self._popularity = _standard(self._builder.log_popularity).astype(np.float32)
        self._listener = Listener(task.data, self._builder, task.workspace.config, self._encoder, patience)

    def lists(self, wanted: list[Wanted]) -> list[Listed]:
        """The candidates of each, and a list of ten, or of as many as there are."""
        heard = self._listener.hear([(each.words, each.seen) for each in wanted])
        similarities = [each.similarity for each in heard]
        closed = [each.closed for each in heard]
        histories = [each.liked for each in wanted]
        found = self._builder.best(histories, closed)
        candidates = [
            items
            if near is None
            else _with_nearest(items, not_shown, near, CANDIDATES // 2 if len(liked) else CANDIDATES)
            for items, not_shown, near, liked in zip(found, closed, similarities, histories, strict=True)
        ]
        listed = [replace(_NOTHING, wish=each.wish, unmet=each.unmet) for each in heard]
        # Nearly all visitors have as many candidates; those who have seen almost everything are served by themselves.
        for size in {len(items) for items in candidates} - {0}:
            rows = [row for row, items in enumerate(candidates) if len(items) == size]
            shown, said = np.stack([candidates[row] for row in rows]), [similarities[row] for row in rows]
            for row, made in zip(rows, self._made([histories[row] for row in rows], shown, said), strict=True):
                order, propensity = wanted[row].explorer.rank(made)
                scores = made.log_probs[0].numpy()
                listed[row] = Listed(
                    histories[row], candidates[row], scores, order, propensity, similarities[row], *heard[row].outcome
                )
        return listed

    @torch.no_grad()
    def _made(
        self, histories: list[np.ndarray], candidates: np.ndarray, similarities: list[np.ndarray | None]
    ) -> list[ChoiceDistribution]:
        """The policy's distribution over the lists of each visitor, with what their words say; or by words alone."""
        states = self._builder.describe(histories, self._builder.retriever.queries(histories), candidates)
        scores = self.policy.head(self.policy.encoder(histories), states)
        by_words = torch.zeros_like(scores)
        for row, (items, similarity) in enumerate(zip(candidates, similarities, strict=True)):
            if similarity is not None:
                by_words[row] = _WORDS_WEIGHT * torch.from_numpy(_standard(similarity)[items])
        lists = self.policy.distribution(scores + by_words, states)
        known = _WORDS_WEIGHT * _POPULARITY_SHARE * torch.from_numpy(self._popularity[candidates])
        return [
            lists.of(row)
            if len(history)
            else PlackettLuce((by_words + known)[row : row + 1], min(PICKS, candidates.shape[1]))
            for row, history in enumerate(histories)
        ]


def _with_nearest(found: np.ndarray, seen: np.ndarray, similarity: np.ndarray, count: int) -> np.ndarray:
    """So many items that are nearest to the words, and then what was found."""
    near = np.argsort(-similarity, kind="stable")
    near = near[~np.isin(near, seen)][:count]
    return np.concatenate([near, found[~np.isin(found, near)]])[:CANDIDATES]


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / max(float(values.std()), 1e-6)
