"""What customers and agents said about the bot's replies, as decisions to learn from."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from apps.customer_service.environment import ASK_BACK, CANDIDATES, DECLINE, HAND_OVER, StateBuilder
from core.envs.observations import take
from core.rl.off_policy import LoggedDecisions
from core.training.feedback import DecisionWithFeedback


def feedback_decisions(
    judged: Sequence[DecisionWithFeedback], maker: StateBuilder, rewards: Mapping[str, float]
) -> LoggedDecisions | None:
    """See `Task.feedback_decisions`.

    The states are those that the bot would see today: where articles have come or gone since, the action is the number
    that the article has among today's candidates. A reply whose article is no longer among them is left out.
    """
    said = [each for each in judged if each.feedback]
    if not said:
        return None
    states = maker.states([tuple(each.decision.state["messages"]) for each in said])
    actions = [_action(each, row, maker) for each, row in zip(said, states["candidates"], strict=True)]
    found = {row: action for row, action in enumerate(actions) if action is not None}
    if not found:
        return None
    return LoggedDecisions(
        take(states, list(found)),
        torch.tensor([[action] for action in found.values()]),
        torch.tensor([[said[row].decision.propensity] for row in found]).log(),
        torch.tensor([_worth(action, said[row].value, rewards) for row, action in found.items()]),
    )


def _action(each: DecisionWithFeedback, candidates: np.ndarray, maker: StateBuilder) -> int | None:
    (action,) = each.decision.action
    if action >= CANDIDATES:
        return int(action)
    article = each.decision.state["candidates"][action]
    today = [maker.knowledge.article(int(row)).id for row in candidates]
    return today.index(article) if article in today else None


def _worth(action: int, value: float, r: Mapping[str, float]) -> float:
    """Reward of an action that people value between -1 (wrong) and 1 (right).

    A question back is worth what it leads to, as in `CustomerService.reward_table`.
    """
    wrong, right = {
        ASK_BACK: (r["ask_back"] + r["needless_hand_over"], r["ask_back"] + r["right_answer"]),
        HAND_OVER: (r["needless_hand_over"], r["right_hand_over"]),
        DECLINE: (r["wrong_decline"], r["right_decline"]),
    }.get(action, (r["wrong_answer"], r["right_answer"]))
    return wrong + (right - wrong) * (value + 1) / 2
