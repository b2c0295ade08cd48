"""What people said the news are about, as decisions to learn from: a right label tells every action's reward."""

from collections.abc import Sequence

import numpy as np
import torch

from apps.finance_monitor.data import SENTIMENTS, TOPICS, NewsData
from core.rl.off_policy import LoggedDecisions
from core.training.feedback import DecisionWithFeedback


def feedback_decisions(
    judged: Sequence[DecisionWithFeedback], newsroom: NewsData, table: np.ndarray
) -> LoggedDecisions | None:
    """See `Task.feedback_decisions`; where people disagree, the newest label counts.

    Args:
        judged: see there.
        newsroom: names the companies.
        table: see `joint_table`.
    """
    said = [each for each in judged if each.feedback]
    if not said:
        return None
    states = [each.decision.state for each in said]
    actions = torch.tensor([each.decision.action for each in said])
    every = torch.from_numpy(table[[_label(each) for each in said]])
    return LoggedDecisions(
        {"text": tuple(newsroom.text(state["company"], state["headline"]) for state in states)},
        actions,
        torch.tensor([[each.decision.propensity] for each in said]).log(),
        every.gather(1, actions).squeeze(1),
        all_action_rewards=every,
    )


def _label(each: DecisionWithFeedback) -> int:
    about = each.feedback[-1].about
    return TOPICS.index(about["topic"]) * len(SENTIMENTS) + SENTIMENTS.index(about["sentiment"])
