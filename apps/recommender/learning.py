"""What visitors did with the films of a list, as decisions to learn from."""

from collections.abc import Sequence

import numpy as np
import torch

from apps.recommender.candidates import CandidateBuilder
from apps.recommender.environment import PICKS
from apps.recommender.rewards import ListReward, ndcg_gains
from core.rl.off_policy import LoggedDecisions
from core.training.feedback import DecisionWithFeedback

_NO_FILM = -1


def feedback_decisions(
    judged: Sequence[DecisionWithFeedback], maker: CandidateBuilder, reward: ListReward
) -> LoggedDecisions | None:
    """See `Task.feedback_decisions`.

    Left out are lists in which words had a say beside the policy, and those of films that are no longer there.
    """
    lists = [each for each in judged if _is_learnable(each, len(maker.data.items))]
    if not lists:
        return None
    states = [each.decision.state for each in lists]
    histories = [np.array(state["history"], dtype=np.int64) for state in states]
    candidates = np.array([state["candidates"] for state in states], dtype=np.int64)
    actions = np.array([each.decision.action for each in lists], dtype=np.int64)
    shown = np.take_along_axis(candidates, actions, axis=1)
    # Only the list's propensity is known, not that of each pick: an equal share of its logarithm for each.
    log_propensities = torch.tensor([each.decision.propensity for each in lists], dtype=torch.float64).log() / PICKS
    return LoggedDecisions(
        maker.describe(histories, maker.retriever.queries(histories), candidates),
        torch.from_numpy(actions),
        log_propensities.float()[:, None].expand(-1, PICKS),
        torch.from_numpy(_rewards(shown, lists, reward)),
    )


def _is_learnable(each: DecisionWithFeedback, films: int) -> bool:
    state = each.decision.state
    known = all(film < films for film in (*state["history"], *state["candidates"]))
    return bool(each.feedback) and not state["words"] and known and each.decision.propensity > 0


def _rewards(shown: np.ndarray, lists: Sequence[DecisionWithFeedback], reward: ListReward) -> np.ndarray:
    """The task's reward with the films that were liked as the relevant ones, less the same for those that were hidden.

    Args:
        shown: films of each list, int64 of shape (lists, picks).
        lists: what was done with them.
        reward: of the task.
    """
    liked, hidden = ([_films(each, wanted=wanted) for each in lists] for wanted in (True, False))
    unwanted = reward.weights["relevance"] * ndcg_gains(shown, hidden)
    return (reward(shown, liked) - unwanted).sum(axis=1, dtype=np.float32)


def _films(each: DecisionWithFeedback, *, wanted: bool) -> np.ndarray:
    """Films that the visitor did something with; one that does not exist stands for none."""
    last = {said.subject: said.value for said in each.feedback}
    return np.array([int(film) for film, value in last.items() if (value > 0) == wanted] or [_NO_FILM])
