"""The monitor's own tables: news, what models make of them, and alerts with their history, with every query on them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, String, Text, func, select, text, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from core.platform.store.schema import KEY, NAME, Table, now
from core.platform.store.upsert import put, put_once

_AT_ONCE = 200
# In the order in which an alert goes through them; "" is one that is not kept yet.
_STATES = ("", "open", "acknowledged", "resolved")
_SEVERITIES = ("", "raised", "severe")


class News(Table):
    """An item of a feed; its `key` counts once, however often it is delivered."""

    __tablename__ = "news"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(KEY), unique=True)
    time: Mapped[datetime] = mapped_column(index=True)
    company: Mapped[str] = mapped_column(String(NAME))
    headline: Mapped[str] = mapped_column(Text)
    arrived: Mapped[datetime] = mapped_column(default=now)

    @classmethod
    def expired(cls, before: datetime) -> ColumnElement[bool]:
        """Items that arrived before; the newest stays, whose number tells a running monitor how far it has read."""
        return (cls.arrived < before) & (cls.id < select(func.max(aliased(cls).id)).scalar_subquery())


class Score(Table):
    """What a model version makes of an item of news."""

    __tablename__ = "scores"

    news_id: Mapped[int] = mapped_column(ForeignKey("news.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    topic: Mapped[str] = mapped_column(String(NAME))
    sentiment: Mapped[str] = mapped_column(String(16))
    probabilities: Mapped[dict[str, Any]]


class Alert(Table):
    """A surge; `key` (company and time of opening) makes it one, however often the news are read again."""

    __tablename__ = "alerts"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(KEY), unique=True)
    company: Mapped[str] = mapped_column(String(NAME), index=True)
    opened: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16))
    severity: Mapped[str] = mapped_column(String(16))
    reason: Mapped[dict[str, Any]]

    @classmethod
    def expired(cls, before: datetime) -> ColumnElement[bool]:
        """Alerts that were resolved before, with their history."""
        last = select(func.max(AlertChange.time)).where(AlertChange.alert_id == cls.id).scalar_subquery()
        return (cls.state == "resolved") & (last < before)


class AlertChange(Table):
    """One step of an alert's history."""

    __tablename__ = "alert_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(16))
    who: Mapped[str] = mapped_column(String(NAME))
    note: Mapped[str] = mapped_column(Text, default="")
    time: Mapped[datetime] = mapped_column(default=now)

    @classmethod
    def erase(cls, session: Session, person: str) -> int:
        """Keep that something was done to the alert, and neither by whom nor why."""
        theirs = update(cls).where(cls.who == person).values(who="", note="")
        return len(session.execute(theirs.returning(cls.id)).all())


def add(session: Session, items: Sequence[Mapping[str, Any]]) -> list[News]:
    """Take in items (`key`, `time`, `company`, `headline`) whose keys are new, and say which were.

    Items get their numbers in the order in which they become visible, so `behind` misses none.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE news IN SHARE ROW EXCLUSIVE MODE"))
    new: list[News] = []
    for at in range(0, len(items), _AT_ONCE):
        new += put_once(session, News, items[at : at + _AT_ONCE], ["key"])
    return sorted(new, key=lambda item: item.id)


def put_scores(session: Session, scores: Sequence[Mapping[str, Any]]) -> None:
    """Keep scores: `news_id`, `version`, `topic`, `sentiment`, `probabilities`."""
    for at in range(0, len(scores), _AT_ONCE):
        put(session, Score, scores[at : at + _AT_ONCE], ["news_id", "version"])


def newest(
    session: Session, company: str | None, count: int, topic: str | None = None, sentiment: str | None = None
) -> list[tuple[News, Score | None]]:
    """The newest items with their latest score, the newest first; those of a company, a topic, a sentiment, or all."""
    other = aliased(Score)
    version = select(func.max(other.version)).where(other.news_id == News.id).correlate(News).scalar_subquery()
    wanted = select(News, Score).outerjoin(Score, (Score.news_id == News.id) & (Score.version == version))
    for column, value in ((News.company, company), (Score.topic, topic), (Score.sentiment, sentiment)):
        if value is not None:
            wanted = wanted.where(column == value)
    found = session.execute(wanted.order_by(News.time.desc(), News.id.desc()).limit(count))
    return [(item, score) for item, score in found]


def behind(
    session: Session, number: int, count: int, since: datetime | None = None, upto: int | None = None
) -> list[News]:
    """Items in the order in which they arrived, from behind the one with that number.

    Args:
        session: Session to read with.
        number: 0 for the first.
        count: Number of items at most.
        since: Moment before which published items are left out.
        upto: Number of the last item that `since` leaves out; None leaves out any.
    """
    wanted = select(News).where(News.id > number).order_by(News.id).limit(count)
    if since is not None:
        wanted = wanted.where(News.time >= since if upto is None else (News.time >= since) | (News.id > upto))
    return list(session.scalars(wanted))


def revision(session: Session) -> tuple[int, int]:
    """Numbers of the newest item and of the newest step of an alert's history; 0 where there is none."""
    news, changes = (session.scalar(select(func.max(number))) for number in (News.id, AlertChange.id))
    return news or 0, changes or 0


def latest_time(session: Session) -> datetime | None:
    """When the newest item was published, of those that are not dated in the future."""
    return session.scalar(select(func.max(News.time)).where(News.time <= now()))


def item(session: Session, number: int) -> News | None:
    """The item of a number, which nobody else changes until the transaction ends."""
    return session.get(News, number, with_for_update=True)


def score(session: Session, number: int) -> Score | None:
    """The latest version's score of an item."""
    wanted = select(Score).where(Score.news_id == number)
    return session.scalar(wanted.order_by(Score.version.desc()).limit(1))


def keep_alert(session: Session, alert: Mapping[str, Any], who: str) -> tuple[Alert, str]:
    """Keep an alert (`key`, `company`, `opened`, `state`, `severity`, `reason`), and a line of history if it changed.

    Whoever reads the news again, from their beginning, finds alerts as they once were: so neither state nor severity
    goes back, and what a person has acknowledged stays so until it is resolved.

    Returns:
        The alert as it is kept, and its severity before, "" where it is new.
    """
    before = session.scalar(select(Alert).where(Alert.key == alert["key"]).with_for_update())
    state, severity = (before.state, before.severity) if before else ("", "")
    values = {
        **alert,
        "state": max(state, alert["state"], key=_STATES.index),
        "severity": max(severity, alert["severity"], key=_SEVERITIES.index),
    }
    put(session, Alert, [values], ["key"])
    fresh = select(Alert).where(Alert.key == alert["key"]).execution_options(populate_existing=True)
    kept = session.scalars(fresh).one()
    if kept.state != state:
        session.add(AlertChange(alert_id=kept.id, state=kept.state, who=who))
    return kept, severity


def alerts(session: Session, count: int) -> list[Alert]:
    """The newest alerts, the newest first."""
    return list(session.scalars(select(Alert).order_by(Alert.opened.desc(), Alert.id.desc()).limit(count)))


def alert(session: Session, identity: int, *, to_change: bool = False) -> Alert | None:
    """The alert of a number; one that is read to be changed is nobody else's until the transaction ends."""
    wanted = select(Alert).where(Alert.id == identity)
    return session.scalar(wanted.with_for_update() if to_change else wanted)


def change_alert(session: Session, alert: Alert, state: str, who: str, note: str) -> None:
    """Set an alert's state and write it into its history."""
    alert.state = state
    session.add(AlertChange(alert_id=alert.id, state=state, who=who, note=note))


def history(session: Session, alert: Alert) -> list[AlertChange]:
    """What became of an alert, oldest first."""
    return list(session.scalars(select(AlertChange).where(AlertChange.alert_id == alert.id).order_by(AlertChange.id)))
