"""Rows of a log of decisions."""

from pydantic import BaseModel, Field

from core.data.fields import Label, Number, Text


class DecisionRow(BaseModel):
    """A logged decision about a text.

    Attributes:
        state: Text that was decided about.
        action: Name of the action that was taken.
        propensity: Probability with which the deciding policy took the action, in (0, 1].
        reward: Reward that came of it.
    """

    state: Text
    action: Label
    propensity: Number = Field(gt=0, le=1)
    reward: Number
