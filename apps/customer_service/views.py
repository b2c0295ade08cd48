"""What page, API and tools show of the conversations that the store holds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from apps.customer_service import tables
from apps.customer_service.data import Article
from apps.customer_service.engine import ReplyAction
from apps.customer_service.tables import Conversation, Turn
from core.platform.store.database import Session

_TITLE = 60


class ChatTurn(BaseModel):
    """A turn of a conversation: the customer's, the bot's, or that of a person of the company.

    The fields behind `time` are the bot's. Pages and API word an empty text themselves.
    """

    model_config = ConfigDict(frozen=True)

    role: Literal["user", "assistant", "agent"]
    text: str
    time: datetime
    action: ReplyAction | None = None
    confidence: float | None = Field(default=None, description="probability that this is what the customer wants")
    sources: list[Article] = []
    decision: str | None = Field(default=None, description="to judge the reply by")

    @property
    def is_for_people(self) -> bool:
        """Whether the bot left the customer to a person."""
        return self.action in tables.FOR_PEOPLE


class ConversationSummary(BaseModel):
    """A conversation in a list."""

    model_config = ConfigDict(frozen=True)

    id: str
    owner: str
    created: datetime
    title: str = Field(description="first words of the first message; empty where nothing has been said")


class InboxLine(ConversationSummary):
    """A conversation that a person of the company looks after, or should."""

    since: datetime | None = Field(description="when the customer began to wait; null where nobody has to answer")
    agent: str | None = Field(description="who has taken it over; the bot is silent there")


class _HasRole(Protocol):
    @property
    def role(self) -> str: ...


TurnT = TypeVar("TurnT", bound=_HasRole)


def exchanges(turns: Sequence[TurnT]) -> list[tuple[TurnT, TurnT]]:
    """Each message of the customer's with the bot's reply, oldest first; what people wrote between them is left out.

    Args:
        turns: Turns of a conversation in their order; the first may be a reply to a message that is not among them.
    """
    talk = [turn for turn in turns if turn.role != tables.AGENT]
    talk = talk[1:] if talk and talk[0].role == "assistant" else talk
    return list(zip(talk[::2], talk[1::2], strict=True))


def turn_views(session: Session, app: str, turns: Sequence[Turn]) -> list[ChatTurn]:
    """Stored turns with the articles that they rest on.

    Args:
        session: Session to read with.
        app: Name of the app.
        turns: Turns of a conversation, as they are stored.
    """
    keys = {key for turn in turns for key in turn.about.get("sources", ())}
    articles = {document.key: to_article(document) for document in tables.documents_of(session, app, keys)}
    return [_view(turn, articles) for turn in turns]


def to_article(document: tables.Document) -> Article:
    """A stored article."""
    return Article(id=document.key, title=document.title, body=document.body, **document.attributes)


def summary(conversation: Conversation, beginning: str | None) -> ConversationSummary:
    """A stored conversation in a list.

    Args:
        conversation: Conversation as it is stored.
        beginning: First words of its first message; None where nothing has been said.
    """
    return ConversationSummary(**_known_of(conversation, beginning))


def inbox_line(conversation: Conversation, since: datetime | None, agent: str | None, beginning: str) -> InboxLine:
    """A stored conversation in the inbox.

    Args:
        conversation: Conversation as it is stored.
        since: When the customer began to wait for a person.
        agent: Who has taken it over.
        beginning: First words of its first message.
    """
    return InboxLine(**_known_of(conversation, beginning), since=since, agent=agent)


def _known_of(conversation: Conversation, beginning: str | None) -> dict[str, Any]:
    title = _title(beginning or "")
    return {"id": conversation.id, "owner": conversation.owner, "created": conversation.created, "title": title}


def _view(turn: Turn, articles: Mapping[str, Article]) -> ChatTurn:
    about: Mapping[str, Any] = turn.about
    sources = [articles[key] for key in about.get("sources", ()) if key in articles]
    said = {"role": turn.role, "text": turn.text, "time": turn.time, "decision": turn.decision_id}
    return ChatTurn.model_validate({**said, **about, "sources": sources})


def _title(message: str) -> str:
    """The first words of a message."""
    line = " ".join(message.split())
    if len(line) <= _TITLE:
        return line
    cut = line[:_TITLE]
    return f"{cut.rpartition(' ')[0] or cut}…"
