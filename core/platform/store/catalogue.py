"""Documents that apps answer from, items that they recommend, and what people did with those."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.platform.store.schema import Document, Event, Item
from core.platform.store.upsert import put, put_once

_AT_ONCE = 500


def put_documents(session: Session, app: str, documents: Sequence[Mapping[str, Any]]) -> None:
    """Take over documents: `key`, `title`, `body`, `attributes`."""
    for at in range(0, len(documents), _AT_ONCE):
        rows = [{"app": app, **document} for document in documents[at : at + _AT_ONCE]]
        put(session, Document, rows, ["app", "key"])


def documents(session: Session, app: str, count: int, after: str = "") -> list[Document]:
    """Documents in the order of their keys, behind the key `after`."""
    wanted = select(Document).where(Document.app == app, Document.key > after).order_by(Document.key).limit(count)
    return list(session.scalars(wanted))


def document(session: Session, app: str, key: str) -> Document | None:
    """The document of a key."""
    return session.get(Document, (app, key))


def put_items(session: Session, app: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Take over items: `key`, `title`, `attributes`."""
    for at in range(0, len(items), _AT_ONCE):
        put(session, Item, [{"app": app, **item} for item in items[at : at + _AT_ONCE]], ["app", "key"])


def add_event(session: Session, event: Mapping[str, Any]) -> bool:
    """Note what an owner did: `app`, `owner`, `key`, `kind`, `item`, `decision_id`; whether it was new."""
    return bool(put_once(session, Event, [event], ["owner", "key"]))


def events(session: Session, app: str, owner: str) -> list[Event]:
    """Everything that an owner did, oldest first."""
    return list(session.scalars(select(Event).where(Event.app == app, Event.owner == owner).order_by(Event.id)))


def take_back_event(session: Session, app: str, owner: str, key: str | None = None) -> bool:
    """Remove an owner's event of a key, or their last one; whether there was one."""
    wanted = select(Event).where(Event.app == app, Event.owner == owner)
    if key is not None:
        wanted = wanted.where(Event.key == key)
    found = session.scalar(wanted.order_by(Event.id.desc()).limit(1))
    if found is not None:
        session.delete(found)
    return found is not None


def forget(session: Session, app: str, owner: str) -> int:
    """Delete everything that an owner did; how many events that were."""
    gone = session.execute(delete(Event).where(Event.app == app, Event.owner == owner).returning(Event.id))
    return len(gone.all())
