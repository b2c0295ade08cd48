"""What the bot learns from: intents, what customers typed, help articles, past conversations."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from core.data.fields import Id, Key, Label, ListOf, Role, Text, Time
from core.data.splits import Split, split_named

HAND_OVER_GROUP = "handover"
OFF_TOPIC = "none"
SmallTalk = Literal["greeting", "thanks", "goodbye", "about_bot", "acknowledgement"]
SMALL_TALK: tuple[SmallTalk, ...] = get_args(SmallTalk)
"""Intents of messages that want a word and no answer; a message that also asks for something has that intent alone."""
MADE = "made"
"""Kind of a message that no customer typed: it was made from an article's own words."""

_ROLES = {"user": "customer", "assistant": "agent", "bot": "agent"}

Outcome = Literal["solved", "handed_over", "abandoned", "wrong_answer"]
Labels = Annotated[ListOf[str], Role.LABEL]
Speaker = Annotated[
    Literal["customer", "agent"],
    BeforeValidator(lambda value: _ROLES.get(value, value) if isinstance(value, str) else value),
]
GivenSplit = Annotated[
    Split | None, BeforeValidator(lambda value: (split_named(value) or value) if isinstance(value, str) else value)
]


Address = Annotated[
    # What leads nowhere by itself, such as /help/1, is no link that a customer could follow.
    str | None,
    BeforeValidator(lambda value: value if isinstance(value, str) and re.fullmatch(r"https?://\S+", value) else None),
]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class Intent(_Row):
    """What a customer can want; those of the group `handover` want a person."""

    intent: Key
    group: str = ""
    meaning: Text


class Utterance(_Row):
    """One message as a customer typed it, with every intent that it has (`none` when it is off-topic)."""

    id: Key | None = None
    text: Text
    intents: Labels = Field(min_length=1)
    kind: str = "ordinary"
    split: GivenSplit = None


class Article(_Row):
    """A help article; the main one of an intent may carry a short reply. Customers never see that, nor the intent."""

    id: Key = Field(max_length=200)
    title: Text
    body: Text
    url: Address = Field(default=None, description="page of the article, http or https")
    intent: Id = Field(default="", exclude=True)
    template: str | None = Field(default=None, exclude=True)

    @property
    def text(self) -> str:
        """Title and body."""
        return f"{self.title}. {self.body}"


# What stands in the place of a candidate where there are fewer articles than candidates.
NO_ARTICLE = Article.model_construct(id="", title="", body="", url=None, intent="", template=None)


class LoggedTurn(_Row):
    """One message of a conversation."""

    role: Speaker
    # No text to compare with others: everybody says "thanks", whatever came of it.
    text: str = Field(min_length=1)


class LoggedConversation(_Row):
    """A past chat between a customer and an agent."""

    id: Key
    intent: Label
    opening: Literal["vague", "clear", "person"]
    outcome: Outcome | None = None
    split: GivenSplit = None
    turns: list[LoggedTurn] = Field(min_length=1)

    @property
    def customer(self) -> list[str]:
        """What the customer said, in order."""
        return [turn.text for turn in self.turns if turn.role == "customer"]


class LoggedMessage(LoggedTurn):
    """One line of a log: a message of a conversation, and what is known of the conversation."""

    conversation: Id
    time: Time | None = None
    outcome: Outcome | None = None
    article: Id | None = None
    split: GivenSplit = None


@dataclass(frozen=True)
class SupportData:
    """Everything that the bot learns from."""

    intents: Sequence[Intent]
    utterances: Sequence[Utterance]
    articles: Sequence[Article]
    conversations: Sequence[LoggedConversation]
    fingerprint: str

    @property
    def hand_over_intents(self) -> frozenset[str]:
        """Intents that only a person may handle."""
        return frozenset(intent.intent for intent in self.intents if intent.group == HAND_OVER_GROUP)
