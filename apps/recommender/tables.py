"""The recommender's own tables: items and what people did with them, with every query on them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, String, Text, UniqueConstraint, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.platform.store.schema import KEY, NAME, Decision, Table, new_id, now
from core.platform.store.upsert import put, put_once

_AT_ONCE = 500
# Events of a profile that lists rest on: more than anybody does by hand, and a bound to what a script's list costs.
MOST_EVENTS = 10_000


class Item(Table):
    """Something that can be recommended."""

    __tablename__ = "items"

    app: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    key: Mapped[str] = mapped_column(String(KEY), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Event(Table):
    """What an owner did with an item; an owner's `key` counts once."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("owner", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str] = mapped_column(String(NAME))
    owner: Mapped[str] = mapped_column(String(NAME), index=True)
    key: Mapped[str] = mapped_column(String(NAME), default=new_id)
    kind: Mapped[str] = mapped_column(String(32))
    item: Mapped[str] = mapped_column(String(KEY))
    decision_id: Mapped[str | None] = mapped_column(ForeignKey("decisions.id", ondelete="SET NULL"), index=True)
    time: Mapped[datetime] = mapped_column(default=now)

    @classmethod
    def expired(cls, before: datetime) -> ColumnElement[bool]:
        """What was done before."""
        return cls.time < before


def put_items(session: Session, app: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Take over items: `key`, `title`, `attributes`."""
    for at in range(0, len(items), _AT_ONCE):
        put(session, Item, [{"app": app, **item} for item in items[at : at + _AT_ONCE]], ["app", "key"])


def add_event(session: Session, event: Mapping[str, Any]) -> bool:
    """Note what an owner did: `app`, `owner`, `key`, `kind`, `item`, `decision_id`; whether it was new."""
    return bool(put_once(session, Event, [event], ["owner", "key"]))


def event(session: Session, owner: str, key: str) -> Event | None:
    """What an owner did under a key."""
    return session.scalar(select(Event).where(Event.owner == owner, Event.key == key))


def events(session: Session, app: str, owner: str, limit: int | None = None, offset: int = 0) -> list[Event]:
    """What an owner did behind the first events, oldest first."""
    mine = select(Event).where(Event.app == app, Event.owner == owner).order_by(Event.id)
    return list(session.scalars(mine.limit(limit).offset(offset)))


def last_events(session: Session, app: str, owner: str) -> list[tuple[str, str]]:
    """Kind and item of the last thing that an owner did with each item, oldest first, of their newest events."""
    newest = select(Event.id, Event.item).where(Event.app == app, Event.owner == owner).order_by(Event.id.desc())
    recent = newest.limit(MOST_EVENTS).subquery()
    last = select(func.max(recent.c.id)).group_by(recent.c.item)
    rows = session.execute(select(Event.kind, Event.item).where(Event.id.in_(last)).order_by(Event.id))
    return [(row.kind, row.item) for row in rows]


def newest_key(session: Session, app: str, owner: str) -> str | None:
    """Key of the last thing that an owner did."""
    mine = select(Event.key).where(Event.app == app, Event.owner == owner)
    return session.scalar(mine.order_by(Event.id.desc()).limit(1))


def is_kept(session: Session, owner: str, key: str) -> bool:
    """Whether what an owner did under a key has neither been undone nor erased."""
    return session.scalar(select(Event.id).where(Event.owner == owner, Event.key == key)) is not None


def last_event(session: Session, owner: str, decision: str, item: str) -> Event | None:
    """What an owner did last with an item of a list."""
    wanted = select(Event).where(Event.owner == owner, Event.decision_id == decision, Event.item == item)
    return session.scalar(wanted.order_by(Event.id.desc()).limit(1))


def take_back_event(session: Session, app: str, owner: str) -> Event | None:
    """Remove an owner's last event, and return it."""
    wanted = select(Event).where(Event.app == app, Event.owner == owner)
    found = session.scalar(wanted.order_by(Event.id.desc()).limit(1))
    if found is not None:
        session.delete(found)
    return found


def forget(session: Session, app: str, owner: str) -> int:
    """Delete everything that an owner did, and the lists that were shown to them; how many events that were."""
    session.execute(delete(Decision).where(Decision.app == app, Decision.owner == owner))
    gone = session.execute(delete(Event).where(Event.app == app, Event.owner == owner).returning(Event.id))
    return len(gone.all())
