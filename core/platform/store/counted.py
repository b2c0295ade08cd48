"""How often each client's key is in the store: for checks that nothing is lost, and nothing there twice."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.platform.store.schema import Event, News, Turn


@dataclass(frozen=True)
class Counts:
    """Rows by key; of turns, those of users."""

    events: dict[str, int]
    turns: dict[str, int]
    news: dict[str, int]


def keys_kept(session: Session) -> Counts:
    """Count the rows of every key."""
    users = select(Turn.key, func.count()).where(Turn.role == "user", Turn.key.is_not(None)).group_by(Turn.key)
    turns = {str(key): count for key, count in session.execute(users)}
    return Counts(_counted(session, Event.key), turns, _counted(session, News.key))


def _counted(session: Session, column: InstrumentedAttribute[str]) -> dict[str, int]:
    return dict(session.execute(select(column, func.count()).group_by(column)).all())
