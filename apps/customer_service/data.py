"""The data set: intents, what customers typed, help articles, past conversations."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.data.tables import read_rows
from core.training.task import Split
from core.util.files import sha256_of

DATA = Path(__file__).parent / "example"
HAND_OVER_GROUP = "handover"
OFF_TOPIC = "none"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Intent(_Row):
    """What a customer can want; those of the group `handover` want a person."""

    intent: str
    group: str
    meaning: str


class Utterance(_Row):
    """One message as a customer typed it, with every intent that it has (`none` when it is off-topic)."""

    id: str
    text: str
    intents: list[str]
    kind: str
    split: Split


class Article(_Row):
    """A help article; the main one of an intent carries a short reply. Customers are shown id, title and body."""

    id: str
    title: str
    body: str
    intent: str = Field(exclude=True)
    template: str | None = Field(default=None, exclude=True)

    @property
    def text(self) -> str:
        """Title and body."""
        return f"{self.title}. {self.body}"


class LoggedTurn(_Row):
    """One message of a conversation."""

    role: Literal["customer", "agent"]
    text: str


class LoggedConversation(_Row):
    """A past chat between a customer and an agent."""

    id: str
    intent: str
    opening: Literal["vague", "clear", "person"]
    outcome: Literal["solved", "handed_over", "abandoned", "wrong_answer"]
    split: Split
    turns: list[LoggedTurn]

    @property
    def customer(self) -> list[str]:
        """What the customer said, in order."""
        return [turn.text for turn in self.turns if turn.role == "customer"]


@dataclass(frozen=True)
class SupportData:
    """Everything that the bot learns from."""

    intents: list[Intent]
    utterances: list[Utterance]
    articles: list[Article]
    conversations: list[LoggedConversation]
    fingerprint: str

    @property
    def hand_over_intents(self) -> frozenset[str]:
        """Intents that only a person may handle."""
        return frozenset(intent.intent for intent in self.intents if intent.group == HAND_OVER_GROUP)


@cache
def load_support_data(folder: Path = DATA) -> SupportData:
    """Read the four files of a data set.

    Raises:
        SteerError: A file is missing or malformed; the message names the line.
    """
    files = [folder / f"{name}.jsonl" for name in ("intents", "utterances", "articles", "conversations")]
    return SupportData(
        read_rows(files[0], Intent),
        read_rows(files[1], Utterance),
        read_rows(files[2], Article),
        read_rows(files[3], LoggedConversation),
        "".join(sha256_of(file) for file in files),
    )
