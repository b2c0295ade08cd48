"""What the bot does next, and why."""

from dataclasses import dataclass
from typing import Any, Literal

Action = Literal["answer", "ask_back", "hand_over", "decline"]


@dataclass(frozen=True)
class Source:
    """An article that a reply rests on."""

    article: str
    title: str
    body: str


@dataclass(frozen=True)
class Choice:
    """What the policy decided.

    Attributes:
        state: the messages and the ids of the candidates, from which the observation can be made again.
        action: number of the candidate, or of a fixed action behind them.
        propensity: probability with which the bot does that in this state.
    """

    state: dict[str, Any]
    action: int
    propensity: float


@dataclass(frozen=True)
class Reply:
    """What the bot does next.

    Attributes:
        action: a field of its own, so that no text can pretend to be one.
        text: for the customer; empty where the page words the action in the customer's language.
        sources: the article that answers, or the articles that a question back is about.
        confidence: the policy's probability of the action, between 0 and 1.
        choice: what was decided, for learning; None where a person decided.
    """

    action: Action
    text: str
    sources: list[Source]
    confidence: float
    choice: Choice | None = None
