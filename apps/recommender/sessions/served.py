"""The next list of a real visit, by the rule that does best before simulated visitors."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from apps.recommender.candidates import CandidateBuilder
from apps.recommender.sessions.environment import CANDIDATES
from apps.recommender.sessions.policy import visit_policy
from apps.recommender.sessions.rewards import HIDE, LIKE
from apps.recommender.sessions.rule import BEST
from apps.recommender.sessions.shop import unit
from apps.recommender.sessions.state import MOST_LISTS, Candidates, visit_features
from core.envs.observations import Observations
from core.models.diverse_list import DiverseListPolicy


@dataclass(frozen=True)
class Visit:
    """What was shown in a visit before the list that is wanted.

    Attributes:
        lists: Items of each list that the visitor has gone on from, oldest first, int64.
        answers: Answer to each of these items, int64 of the same shapes.
    """

    lists: Sequence[np.ndarray]
    answers: Sequence[np.ndarray]

    @property
    def recent(self) -> "Visit":
        """The newest lists: before more, nothing was tuned."""
        return Visit(self.lists[1 - MOST_LISTS :], self.answers[1 - MOST_LISTS :])

    @cached_property
    def items(self) -> np.ndarray:
        """All items of the lists."""
        return np.concatenate(self.lists)

    def answered(self, answer: int) -> np.ndarray:
        """Items that were answered so."""
        return self.items[np.concatenate(self.answers) == answer]


class VisitLists:
    """Makes the next list of a visit; keeps nothing of it.

    Args:
        builder: Builder of the candidates as it serves.
    """

    def __init__(self, builder: CandidateBuilder) -> None:
        self._builder, self._tags = builder, unit(builder.data.tags)
        self.policy: DiverseListPolicy = visit_policy(
            BEST, lambda states: builder.distances.within(np.asarray(states["candidates"]))
        )

    def states(self, liked: np.ndarray, candidates: np.ndarray, visit: Visit) -> Observations:
        """The state of a visit with given candidates, see `SessionEnv`.

        Args:
            liked: Items that the visitor likes, oldest first.
            candidates: Items to choose from.
            visit: What was shown.
        """
        features, of_visit = visit_features(self._about(liked, candidates, visit.recent))
        return {"visit": of_visit, "candidates": candidates[None], "features": features}

    @torch.no_grad()
    def scores(self, states: Observations) -> torch.Tensor:
        """Score of each candidate in nats, as the first of the list, float32 of shape (1, candidates)."""
        return self.policy.head(torch.empty(0), states)

    def best(self, candidates: np.ndarray) -> np.ndarray:
        """The candidates that one may choose from, of those that EASE likes best, best first."""
        return candidates[:CANDIDATES]

    def _about(self, liked: np.ndarray, candidates: np.ndarray, visit: Visit) -> Candidates:
        builder, shown = self._builder, visit.items
        of_visit, hidden = liked[np.isin(liked, visit.answered(LIKE))], visit.answered(HIDE)
        fits = builder.scores([liked, of_visit])[:, candidates]
        ages = np.repeat(np.arange(len(visit.lists))[::-1], [len(items) for items in visit.lists])
        return Candidates(
            score=fits[None, 0],
            score_visit=fits[None, 1],
            score_hidden=builder.scores([hidden], np.inf)[:, candidates],
            popularity=builder.log_popularity[None, candidates],
            tags=self._tags[None, candidates],
            alike=1.0 - builder.distances.between(candidates[None], shown[None]),
            shown_tags=self._tags[None, shown],
            answers=np.concatenate(visit.answers)[None],
            age=ages[None],
            lists=np.array([len(visit.lists)]),
            known=np.array([len(liked) - len(of_visit)]),
        )
