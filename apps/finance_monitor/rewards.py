"""What a label is worth: missing bad news costs most, crying wolf a little."""

from collections.abc import Mapping

import numpy as np

from apps.finance_monitor.data import SENTIMENTS, TOPICS
from core.util.errors import SteerError

DEFAULTS = {
    "right_sentiment": 1.0,
    "right_topic": 0.5,
    "negative_as_neutral": -2.0,
    "negative_as_positive": -3.0,
    "false_negative": -1.0,
    "other_confusion": -0.5,
}


def weights(settings: Mapping[str, float]) -> dict[str, float]:
    """The defaults, with what `settings` changes.

    Raises:
        SteerError: a name that is not a reward.
    """
    unknown = sorted(set(settings) - set(DEFAULTS))
    if unknown:
        raise SteerError(f"unknown reward {unknown[0]!r}; there are {', '.join(DEFAULTS)}")
    return {**DEFAULTS, **settings}


def joint_table(weight: Mapping[str, float]) -> np.ndarray:
    """Reward of each joint label when another is right, float32 of shape (topics x sentiments, the same).

    Joint label `a` stands for topic `a // 3` and sentiment `a % 3`.
    """
    right, false, other = weight["right_sentiment"], weight["false_negative"], weight["other_confusion"]
    sentiment = np.array(
        [  # columns: labelled negative, neutral, positive
            [right, weight["negative_as_neutral"], weight["negative_as_positive"]],
            [false, right, other],
            [false, other, right],
        ]
    )
    topic = weight["right_topic"] * np.eye(len(TOPICS))
    everywhere = np.ones((len(TOPICS), len(TOPICS)))
    return (np.kron(everywhere, sentiment) + np.kron(topic, np.ones((len(SENTIMENTS),) * 2))).astype(np.float32)
