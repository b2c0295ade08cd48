"""Lists as they are logged, by the keys of their films, and what people's feedback on them teaches."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from apps.recommender.candidates import CANDIDATES, CandidateBuilder
from apps.recommender.environment import PICKS
from apps.recommender.rewards import ListReward, Taste
from core.envs.observations import Observations, join
from core.rl.off_policy import LoggedDecisions
from core.training.feedback import DecisionWithFeedback


def shown_films(state: Mapping[str, Any], action: Sequence[Any]) -> list[int]:
    """Rows of the films that a logged list showed, in its order.

    Args:
        state: Logged state; `candidates` and `history` are keys of films.
        action: Keys of the films; in logs of earlier versions, numbers of places among the candidates.
    """
    return [int(film) if isinstance(film, str) else int(state["candidates"][film]) for film in action]


def feedback_decisions(
    judged: Sequence[DecisionWithFeedback], builder: CandidateBuilder, reward: ListReward
) -> LoggedDecisions | None:
    """See `Task.feedback_decisions`.

    Left out are lists in which words had a say beside the policy, and those of films that are no longer there.
    """
    lists = [each for each in judged if _is_learnable(each, len(builder.data.items))]
    if not lists:
        return None
    histories = [_rows(each.decision.state["history"]) for each in lists]
    shown = np.array([shown_films(each.decision.state, each.decision.action) for each in lists])
    states = join([_state(builder, each.decision.state, films) for each, films in zip(lists, shown, strict=True)])
    taste = Taste([_judged(each, liked=True) for each in lists], [_judged(each, liked=False) for each in lists])
    # Only the list's propensity is known, not that of each pick: an equal share of its logarithm for each.
    log_propensities = torch.tensor([each.decision.propensity for each in lists], dtype=torch.float64).log() / PICKS
    return LoggedDecisions(
        states,
        torch.from_numpy(_places(np.asarray(states["candidates"]), shown)),
        log_propensities.float()[:, None].expand(-1, PICKS),
        torch.from_numpy(reward(histories, shown, taste).sum(axis=1, dtype=np.float32)),
    )


def _is_learnable(each: DecisionWithFeedback, films: int) -> bool:
    state, action = each.decision.state, each.decision.action
    is_known = all(int(film) < films for film in (*state["history"], *state["candidates"]))
    is_whole = len(action) == PICKS and each.decision.propensity > 0
    return bool(each.feedback) and not state["words"] and is_known and is_whole


def _state(builder: CandidateBuilder, state: Mapping[str, Any], shown: np.ndarray) -> Observations:
    """The state that was ranked, with as many candidates as the policy sees today.

    The features are those of all candidates of then. Of more than today's number, those that were not shown go first,
    from the end of the list; fewer are filled up with none.
    """
    history, candidates = _rows(state["history"]), _rows(state["candidates"])
    ranked = builder.describe([history], builder.retriever.queries([history]), candidates[None])
    is_shown = np.isin(candidates, shown)
    others = np.flatnonzero(~is_shown)[: CANDIDATES - len(shown)]
    kept = np.sort(np.concatenate([np.flatnonzero(is_shown), others]))
    missing = CANDIDATES - len(kept)
    return {
        "history": ranked["history"],
        "candidates": np.pad(candidates[kept], (0, missing), constant_values=-1)[None],
        "features": np.pad(np.asarray(ranked["features"])[:, kept], ((0, 0), (0, missing), (0, 0))),
    }


def _places(candidates: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Where the shown films stand among the candidates, int64 of shape (lists, picks)."""
    return (candidates[:, None, :] == shown[:, :, None]).argmax(axis=2)


def _judged(each: DecisionWithFeedback, *, liked: bool) -> np.ndarray:
    """Films that people liked, or else did not want; their last word counts."""
    last = {opinion.subject: opinion.value for opinion in each.feedback}
    return _rows([film for film, value in last.items() if (value > 0) == liked])


def _rows(keys: Sequence[Any]) -> np.ndarray:
    return np.array([int(key) for key in keys], dtype=np.int64)
