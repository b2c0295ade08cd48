"""What a visit is worth: each like pays, each "not for me" costs as much."""

from typing import TypeAlias

import numpy as np

from core.rewards.reward import Reward

# How a visitor answers an item that was shown.
SKIP, LIKE, HIDE = 0, 1, 2

# Action: the lists. Truth: answer to each of their items. Both int64 of shape (lists, picks), as is every term.
VisitReward: TypeAlias = Reward[None, np.ndarray, np.ndarray]

REWARD: VisitReward = Reward(
    terms={
        "liked": lambda state, lists, answers: answers == LIKE,
        "hidden": lambda state, lists, answers: answers == HIDE,
    },
    weights={"liked": 1.0, "hidden": -1.0},
)
