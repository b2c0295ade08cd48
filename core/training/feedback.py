"""What serving decided and what people made of it, in plain values: no database stands behind them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any


@dataclass(frozen=True)
class LoggedDecision:
    """A decision that a served policy made.

    Attributes:
        id: Identity under which the decision is stored.
        state: State that the policy saw, as the app logs it (JSON values).
        action: Action that it took, named by identity (a label, an article, a list of items), never by index.
        propensity: Probability with which the policy chose the action, in (0, 1].
        time: Moment of the decision, in UTC.
    """

    id: str
    state: Mapping[str, Any]
    action: Any
    propensity: float
    time: datetime


@dataclass(frozen=True)
class Feedback:
    """One person's opinion of a decision, or of one item that it showed.

    Attributes:
        owner: Identity of the person.
        subject: Identity of the item that the opinion is about; "" for the whole decision.
        value: Opinion from -1 (wrong) to 1 (right).
        about: Further values that the app keeps with the opinion, such as the right label.
        time: Moment of the opinion, in UTC.
    """

    owner: str
    subject: str
    value: float
    about: Mapping[str, Any]
    time: datetime


@dataclass(frozen=True)
class DecisionWithFeedback:
    """A decision and what people made of it.

    Attributes:
        decision: Decision that is judged.
        feedback: Opinions of it, oldest first.
    """

    decision: LoggedDecision
    feedback: tuple[Feedback, ...]

    @property
    def value(self) -> float:
        """Mean of the opinions, from -1 (wrong) to 1 (right); 0 without one."""
        return fmean(each.value for each in self.feedback) if self.feedback else 0.0
