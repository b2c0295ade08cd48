"""Lists as they are logged, by the ids of their items, and what people's feedback on them teaches."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch

from apps.recommender.candidates import CANDIDATES, CandidateBuilder, padded
from apps.recommender.rewards import ListReward, Taste
from apps.recommender.splits import PICKS
from core.envs.observations import Observations, join
from core.rl.off_policy import LoggedDecisions
from core.training.feedback import DecisionWithFeedback

Rows: TypeAlias = Mapping[str, int]  # of the items, by id


def feedback_decisions(
    judged: Sequence[DecisionWithFeedback], builder: CandidateBuilder, reward: ListReward
) -> LoggedDecisions | None:
    """See `Task.feedback_decisions`.

    Left out are lists in which words had a say beside the policy, and those of items that are no longer there.
    """
    row_of = builder.data.rows
    lists = [each for each in judged if _is_learnable(each, row_of)]
    if not lists:
        return None
    histories = [_rows(each.decision.state["history"], row_of) for each in lists]
    shown = np.array([_rows(each.decision.action, row_of) for each in lists])
    states = join([_state(builder, each.decision.state, items) for each, items in zip(lists, shown, strict=True)])
    taste = Taste(*([_judged(each, row_of, liked=liked) for each in lists] for liked in (True, False)))
    # Only the list's propensity is known, not that of each pick: an equal share of its logarithm for each.
    log_propensities = torch.tensor([each.decision.propensity for each in lists], dtype=torch.float64).log() / PICKS
    return LoggedDecisions(
        states,
        torch.from_numpy(_places(np.asarray(states["candidates"]), shown)),
        log_propensities.float()[:, None].expand(-1, PICKS),
        torch.from_numpy(reward(histories, shown, taste).sum(axis=1, dtype=np.float32)),
    )


def _is_learnable(each: DecisionWithFeedback, row_of: Rows) -> bool:
    state, action = each.decision.state, each.decision.action
    is_known = row_of.keys() >= {*state["history"], *state["candidates"]}
    is_whole = len(action) == PICKS and each.decision.propensity > 0
    return bool(each.feedback) and not state["words"] and is_known and is_whole


def _state(builder: CandidateBuilder, state: Mapping[str, Any], shown: np.ndarray) -> Observations:
    """The state that was ranked, with as many candidates as the policy sees today.

    The features are those of all candidates of then. Of more than today's number, those that were not shown go first,
    from the end of the list; fewer are filled up with none.
    """
    row_of = builder.data.rows
    history, candidates = _rows(state["history"], row_of), _rows(state["candidates"], row_of)
    ranked = builder.describe([history], builder.retriever.queries([history]), candidates[None])
    is_shown = np.isin(candidates, shown)
    others = np.flatnonzero(~is_shown)[: CANDIDATES - len(shown)]
    kept = np.sort(np.concatenate([np.flatnonzero(is_shown), others]))
    features = np.asarray(ranked["features"])[:, kept]
    return padded({"history": ranked["history"], "candidates": candidates[None, kept], "features": features})


def _places(candidates: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Where the shown items stand among the candidates, int64 of shape (lists, picks)."""
    return (candidates[:, None, :] == shown[:, :, None]).argmax(axis=2)


def _judged(each: DecisionWithFeedback, row_of: Rows, *, liked: bool) -> np.ndarray:
    """Items that people liked, or else did not want; their last word counts."""
    last = {opinion.subject: opinion.value for opinion in each.feedback}
    return _rows([item for item, value in last.items() if (value > 0) == liked and item in row_of], row_of)


def _rows(ids: Sequence[str], row_of: Rows) -> np.ndarray:
    return np.array([row_of[id_] for id_ in ids], dtype=np.int64)
