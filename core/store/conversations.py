"""Conversations and their turns."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.store.schema import Conversation, Turn


def start(session: Session, app: str, owner: str) -> Conversation:
    """A new, empty conversation."""
    conversation = Conversation(app=app, owner=owner)
    session.add(conversation)
    session.flush()
    return conversation


def find(session: Session, app: str, identity: str) -> Conversation | None:
    """The conversation of an id, whoever owns it."""
    conversation = session.get(Conversation, identity)
    return conversation if conversation is not None and conversation.app == app else None


def newest(session: Session, app: str, owner: str | None, count: int) -> list[Conversation]:
    """The newest conversations, of one owner or of all, the newest first."""
    wanted = select(Conversation).where(Conversation.app == app)
    if owner is not None:
        wanted = wanted.where(Conversation.owner == owner)
    return list(session.scalars(wanted.order_by(Conversation.created.desc(), Conversation.id).limit(count)))


def turns(session: Session, identity: str) -> list[Turn]:
    """The turns of a conversation, oldest first."""
    return list(session.scalars(select(Turn).where(Turn.conversation_id == identity).order_by(Turn.number)))


def append(session: Session, conversation: Conversation, known: int, new: Sequence[Turn]) -> bool:
    """Add turns behind those that the writer knew of.

    Args:
        session: of a transaction.
        conversation: to add to.
        known: number of turns that the writer had read.
        new: turns without numbers.

    Returns:
        Whether they were added: not if somebody else was faster, or has taken turns back.
    """
    # The lock makes a second writer wait (SQLite's transactions wait anyway).
    locked = session.scalar(select(Conversation.id).where(Conversation.id == conversation.id).with_for_update())
    count = session.scalar(select(func.count()).where(Turn.conversation_id == conversation.id))
    if locked is None or count != known:
        return False
    for number, turn in enumerate(new, start=known):
        turn.conversation_id, turn.number = conversation.id, number
        session.add(turn)
    return True


def take_back(session: Session, conversation: Conversation) -> str | None:
    """Remove the last message of the user and what answered it; its text, or None where there is none."""
    session.scalar(select(Conversation.id).where(Conversation.id == conversation.id).with_for_update())
    said = select(Turn).where(Turn.conversation_id == conversation.id, Turn.role == "user")
    last = session.scalar(said.order_by(Turn.number.desc()).limit(1))
    if last is None:
        return None
    session.execute(delete(Turn).where(Turn.conversation_id == conversation.id, Turn.number >= last.number))
    return last.text


def remove(session: Session, conversation: Conversation) -> None:
    """Delete a conversation and its turns; decisions, which name no text's owner to others, stay to learn from."""
    session.execute(delete(Turn).where(Turn.conversation_id == conversation.id))
    session.execute(delete(Conversation).where(Conversation.id == conversation.id))
