"""What an alert is worth: one in a surge pays, less for each hour that it comes late; one for nothing costs.

A reader acts on a surge within days: an alert at its first headline is worth 1, a day later about half. To read an
alert for nothing costs as much as a day's delay, and to hear of a surge from others as much again as an alert at its
first headline would have brought.
"""

from dataclasses import dataclass
from typing import Literal

from core.rewards.reward import Reward


@dataclass(frozen=True)
class Truth:
    """What was planted at the moment of a decision.

    Attributes:
        now: Whether there is a surge now, and whether an alert told of it already.
        hours: Time since it began.
        missed: Whether a surge has ended since the last decision that no alert told of.
    """

    now: Literal["usual", "surge", "told surge"]
    hours: float = 0.0
    missed: bool = False


def _found(state: None, alert: bool, truth: Truth) -> bool:
    return alert and truth.now == "surge"


def _delay_hours(state: None, alert: bool, truth: Truth) -> float:
    return truth.hours * _found(state, alert, truth)


def _false_alarm(state: None, alert: bool, truth: Truth) -> bool:
    return alert and truth.now == "usual"


def _missed(state: None, alert: bool, truth: Truth) -> bool:
    return truth.missed


REWARD: Reward[None, bool, Truth] = Reward(
    terms={"found": _found, "delay_hours": _delay_hours, "false_alarm": _false_alarm, "missed": _missed},
    weights={"found": 1.0, "delay_hours": -0.02, "false_alarm": -0.5, "missed": -1.0},
)
