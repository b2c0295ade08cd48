"""The bot's own tables: articles, conversations and their turns, with every query on them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    String,
    Text,
    UniqueConstraint,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from core.platform.store.schema import KEY, NAME, Decision, Table, new_id, now
from core.platform.store.upsert import put

AGENT = "agent"
"""Role of the turns that people of the company write."""
FOR_PEOPLE = ("hand_over", "passed_on")
"""What the bot did last where a person has to go on."""
_AT_ONCE = 500
_BEGINNING = 200


class Document(Table):
    """A text that an app answers from."""

    __tablename__ = "documents"

    app: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    key: Mapped[str] = mapped_column(String(KEY), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    updated: Mapped[datetime] = mapped_column(default=now)


class Conversation(Table):
    """A chat of its owner's."""

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    app: Mapped[str] = mapped_column(String(NAME))
    owner: Mapped[str] = mapped_column(String(NAME), index=True)
    created: Mapped[datetime] = mapped_column(default=now)

    @classmethod
    def expired(cls, before: datetime) -> ColumnElement[bool]:
        """Conversations whose last message came before."""
        last = select(func.max(Turn.time)).where(Turn.conversation_id == cls.id).scalar_subquery()
        return func.coalesce(last, cls.created) < before


class Turn(Table):
    """One message of a conversation; `key` is the sender's own, so that a message sent again is not taken twice."""

    __tablename__ = "turns"
    __table_args__ = (UniqueConstraint("conversation_id", "number"), UniqueConstraint("conversation_id", "key", "role"))

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    number: Mapped[int]
    role: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(String(NAME))
    decision_id: Mapped[str | None] = mapped_column(ForeignKey("decisions.id", ondelete="SET NULL"), index=True)
    about: Mapped[dict[str, Any]] = mapped_column(default=dict)
    time: Mapped[datetime] = mapped_column(default=now)


class Takeover(Table):
    """A conversation that an agent has taken over; the bot is silent in it."""

    __tablename__ = "takeovers"

    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True)
    who: Mapped[str] = mapped_column(String(NAME))
    since: Mapped[datetime] = mapped_column(default=now)

    @classmethod
    def erase(cls, session: Session, person: str) -> int:
        """Whom an agent looked after who is gone waits for another one."""
        return len(session.execute(delete(cls).where(cls.who == person).returning(cls.conversation_id)).all())


_CONVERSATIONS, _TURNS = (Table.metadata.tables[kind.__tablename__] for kind in (Conversation, Turn))
_IDENTITY = bindparam("identity", type_=String())
# Every reply waits for these, so they are made once.
_LOCK = select(_CONVERSATIONS.c.id).where(_CONVERSATIONS.c.id == _IDENTITY).with_for_update()
_LENGTH = select(func.count()).where(_TURNS.c.conversation_id == _IDENTITY)
_FIND = select(Conversation).where(Conversation.id == _IDENTITY, Conversation.app == bindparam("app"))
_NEWEST_FIRST = select(Turn).where(Turn.conversation_id == _IDENTITY).order_by(Turn.number.desc())
_LAST = _NEWEST_FIRST.limit(bindparam("count"))
_EXCHANGE = select(Turn).where(Turn.conversation_id == _IDENTITY, Turn.key == bindparam("key")).order_by(Turn.number)
_TAKEN = select(Takeover.who).where(Takeover.conversation_id == _IDENTITY)
_ADD = insert(_TURNS)
_COLUMNS = [column.name for column in _TURNS.c if column.name != "id"]


def start(session: Session, app: str, owner: str, identity: str | None = None) -> Conversation:
    """A new, empty conversation, under an id that nobody can guess."""
    conversation = Conversation(id=identity or new_id(), app=app, owner=owner)
    session.add(conversation)
    session.flush()
    return conversation


def find(session: Session, app: str, identity: str) -> Conversation | None:
    """The conversation of an id, whoever owns it."""
    return session.scalar(_FIND, {"identity": identity, "app": app})


def newest(session: Session, app: str, owner: str | None, count: int) -> list[tuple[Conversation, str | None]]:
    """The newest conversations, of one owner or of all, the newest first, each with how its first message begins."""
    is_first = (Turn.conversation_id == Conversation.id) & (Turn.number == 0)
    beginning = func.substr(Turn.text, 1, _BEGINNING)
    wanted = select(Conversation, beginning).outerjoin(Turn, is_first).where(Conversation.app == app)
    if owner is not None:
        wanted = wanted.where(Conversation.owner == owner)
    rows = session.execute(wanted.order_by(Conversation.created.desc(), Conversation.id).limit(count))
    return [(row[0], row[1]) for row in rows]


def waiting(session: Session, app: str) -> int:
    """Number of conversations that were handed over to a person, and where none has answered since."""
    handed = select(func.count()).select_from(Turn).join(Conversation)
    return session.scalar(handed.where(Conversation.app == app, _is_for_people(), _is_last())) or 0


def inbox(session: Session, app: str, count: int) -> list[tuple[Conversation, datetime | None, str | None, str]]:
    """Conversations for people, those that wait longest first, then those that agents look after and have answered.

    Returns:
        Conversation, since when the customer waits if they do, the agent who has taken it over if one has, and how its
        first message begins.
    """
    # Agents' pages ask every few seconds: both parts are found without looking at the last turn of every conversation.
    waiting = select(Turn.id).where(_is_for_people(), _is_last())
    taken = select(Turn.id).where(Turn.conversation_id.in_(select(Takeover.conversation_id)), _is_last())
    since = case((_is_for_people(), _waits_since()))
    first = aliased(Turn)
    beginning = func.substr(first.text, 1, _BEGINNING)
    found = (
        select(Conversation, since, Takeover.who, beginning)
        .join(Turn, Turn.conversation_id == Conversation.id)
        .join(first, (first.conversation_id == Conversation.id) & (first.number == 0))
        .outerjoin(Takeover, Takeover.conversation_id == Conversation.id)
        .where(Conversation.app == app, Turn.id.in_(waiting.union_all(taken)))
        .order_by(since.is_(None), since, Turn.time, Conversation.id)
        .limit(count)
    )
    return [(row[0], row[1], row[2], row[3]) for row in session.execute(found)]


def taken_by(session: Session, identity: str) -> str | None:
    """The agent who has taken a conversation over; None where the bot talks."""
    return session.scalar(_TAKEN, {"identity": identity})


def take_over(session: Session, identity: str, who: str) -> str:
    """Let an agent have a conversation that nobody has; who has it then."""
    session.connection().execute(_LOCK, {"identity": identity})
    has = taken_by(session, identity)
    if has is None:
        session.add(Takeover(conversation_id=identity, who=who))
        session.flush()
    return has or who


def give_back(session: Session, identity: str) -> None:
    """Let the bot have a conversation again."""
    session.execute(delete(Takeover).where(Takeover.conversation_id == identity))


def _is_last() -> ColumnElement[bool]:
    later = aliased(Turn)
    is_later = (later.conversation_id == Turn.conversation_id) & (later.number > Turn.number)
    return ~select(later.id).where(is_later).correlate(Turn).exists()


def _is_for_people(turn: Any = Turn) -> ColumnElement[bool]:
    return (turn.role == "assistant") & turn.about["action"].as_string().in_(FOR_PEOPLE)


def _waits_since() -> ColumnElement[datetime]:
    """When the bot first left the customer to a person, after a person's last answer: who writes again waits on."""
    answer, left = aliased(Turn), aliased(Turn)
    is_here = answer.conversation_id == Turn.conversation_id
    answered = select(func.max(answer.number)).where(is_here, answer.role == AGENT).correlate(Turn).scalar_subquery()
    since = left.number > func.coalesce(answered, -1)
    waiting = select(func.min(left.time)).where(left.conversation_id == Turn.conversation_id, since)
    return waiting.where(_is_for_people(left)).correlate(Turn).scalar_subquery()


def turns(session: Session, identity: str, limit: int | None = None, offset: int = 0) -> list[Turn]:
    """The turns of a conversation behind its first ones, oldest first."""
    behind = select(Turn).where(Turn.conversation_id == identity, Turn.number >= offset)
    return list(session.scalars(behind.order_by(Turn.number).limit(limit)))


def last_turns(session: Session, identity: str, count: int) -> list[Turn]:
    """So many turns from the end of a conversation, oldest first."""
    return list(session.scalars(_LAST, {"identity": identity, "count": count}))[::-1]


def exchange(session: Session, identity: str, key: str) -> list[Turn]:
    """The message that was sent with a key, and its answer; empty if none was."""
    return list(session.scalars(_EXCHANGE, {"identity": identity, "key": key}))


def claim(session: Session, identity: str, known: int) -> bool:
    """Whether a conversation still has so many turns, which then stays so until the transaction ends.

    It has not if somebody else was faster to add to it, has taken turns back, or has removed it.
    """
    connection, where = session.connection(), {"identity": identity}
    # The lock makes a second writer wait (SQLite's transactions wait anyway).
    return connection.scalar(_LOCK, where) is not None and connection.scalar(_LENGTH, where) == known


def append(session: Session, identity: str, known: int, new: Sequence[Turn]) -> None:
    """Add turns to a conversation of so many, which the session has claimed; they get their numbers.

    Every reply waits for this. So they go to the table directly, in half the time of records.
    """
    for number, turn in enumerate(new, start=known):
        turn.conversation_id, turn.number, turn.time = identity, number, now()
    session.connection().execute(_ADD, [_row(turn) for turn in new])


def take_back(session: Session, identity: str) -> str | None:
    """Erase the last message of the user and what answered it; its text, or None where there is none.

    What a person has answered stays: it is no longer the user's alone.
    """
    session.connection().execute(_LOCK, {"identity": identity})
    last = session.scalar(_NEWEST_FIRST.where(Turn.role.in_(("user", AGENT))).limit(1), {"identity": identity})
    if last is None or last.role == AGENT:
        return None
    _forget(session, (Turn.conversation_id == identity) & (Turn.number >= last.number))
    return last.text


def remove(session: Session, identity: str) -> None:
    """Erase a conversation, its turns, and the decisions, whose states hold its messages, with the opinions of them."""
    _forget(session, Turn.conversation_id == identity)
    session.execute(delete(Conversation).where(Conversation.id == identity))


def _forget(session: Session, turns: ColumnElement[bool]) -> None:
    session.execute(delete(Decision).where(Decision.id.in_(select(Turn.decision_id).where(turns))))
    session.execute(delete(Turn).where(turns))


def _row(turn: Turn) -> dict[str, Any]:
    values = {column: getattr(turn, column) for column in _COLUMNS}
    return {**values, "about": turn.about or {}}


def put_documents(session: Session, app: str, documents: Sequence[Mapping[str, Any]]) -> None:
    """Take over documents: `key`, `title`, `body`, `attributes`; an app's others are gone."""
    keys = {document["key"] for document in documents}
    kept = session.scalars(select(Document.key).where(Document.app == app))
    gone = [key for key in kept if key not in keys]
    for at in range(0, len(gone), _AT_ONCE):
        session.execute(delete(Document).where(Document.app == app, Document.key.in_(gone[at : at + _AT_ONCE])))
    for at in range(0, len(documents), _AT_ONCE):
        rows = [{"app": app, "updated": now(), **document} for document in documents[at : at + _AT_ONCE]]
        put(session, Document, rows, ["app", "key"])


def documents(session: Session, app: str, count: int, after: str = "") -> list[Document]:
    """Documents in the order of their keys, behind the key `after`."""
    wanted = select(Document).where(Document.app == app, Document.key > after).order_by(Document.key).limit(count)
    return list(session.scalars(wanted))


def document(session: Session, app: str, key: str) -> Document | None:
    """The document of a key."""
    return session.get(Document, (app, key))


def documents_of(session: Session, app: str, keys: Collection[str]) -> list[Document]:
    """Documents of some keys, in no certain order."""
    wanted = select(Document).where(Document.app == app, Document.key.in_(keys))
    return list(session.scalars(wanted)) if keys else []
