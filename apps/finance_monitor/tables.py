"""The monitor's own tables: news, what models make of them, and alerts with their history, with every query on them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, String, Text, UniqueConstraint, func, select, text, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from apps.finance_monitor.alerting.baseline import Past, advanced
from apps.finance_monitor.alerting.course import CONTEXT, Baseline, Story
from apps.finance_monitor.alerting.rule import learnt
from core.platform.store.schema import KEY, NAME, Table, now
from core.platform.store.upsert import put, put_once

_AT_ONCE = 200
# In the order in which an alert goes through them.
_STATES = ("open", "acknowledged", "resolved")
_SEVERITIES = ("raised", "severe")
# Rows from before there were workspaces are of this one.
_FIRST = "finance_monitor"


class News(Table):
    """An item of a feed of a workspace (`app`); its `key` counts once there, however often it is delivered."""

    __tablename__ = "news"

    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str] = mapped_column(String(NAME), index=True, server_default=_FIRST)
    key: Mapped[str] = mapped_column(String(KEY), unique=True)
    time: Mapped[datetime] = mapped_column(index=True)
    company: Mapped[str] = mapped_column(String(NAME))
    headline: Mapped[str] = mapped_column(Text)
    arrived: Mapped[datetime] = mapped_column(default=now)

    @classmethod
    def expired(cls, before: datetime) -> ColumnElement[bool]:
        """Items that nothing looks back at from the baseline of their company, and which nobody had read by then.

        The newest stays, whose number tells a running monitor how far it has read.
        """
        other = aliased(cls)
        newest = select(func.max(other.id)).where(other.app == cls.app).correlate(cls).scalar_subquery()
        behind = select(Base.id).where(Base.app == cls.app, Base.company == cls.company, Base.forgets > cls.time)
        return behind.correlate(cls).exists() & (cls.id < newest)


class Base(Table):
    """Where the course of a company begins, whose news before are forgotten: `alerting.course.Baseline`, and more.

    Attributes:
        forgets: Moment before which its items are gone.
        delay: Seconds that the most punctual of the items before took to come.
        newest: Number of the workspace's newest item at that time: who has not come so far has missed something.
        revision: Number of the purge, counted in the workspace.
    """

    __tablename__ = "news_baselines"
    __table_args__ = (UniqueConstraint("app", "company"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str] = mapped_column(String(NAME))
    company: Mapped[str] = mapped_column(String(NAME))
    moment: Mapped[datetime]
    forgets: Mapped[datetime]
    last: Mapped[datetime]
    stories: Mapped[float]
    hours: Mapped[float]
    steps: Mapped[int]
    delay: Mapped[float]
    newest: Mapped[int]
    revision: Mapped[int]

    @classmethod
    def settle(cls, session: Session, before: datetime) -> None:
        """Move the baselines of every workspace as far as a moment, if its news have come so far."""
        _lock(session, News)
        for app in session.scalars(select(News.app).distinct()).all():
            move_baselines(session, app, before)

    @property
    def course(self) -> Baseline:
        """What a monitor begins from."""
        return Baseline(self.moment, self.last, self.stories, self.hours, self.steps)


class Score(Table):
    """What a model version makes of an item of news.

    `copy_of` is the number of the item that tells the same story and was published before, 0 where there is none; it
    is not known (None) of scores that were kept before there were such numbers.
    """

    __tablename__ = "scores"

    news_id: Mapped[int] = mapped_column(ForeignKey("news.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    topic: Mapped[str] = mapped_column(String(NAME))
    sentiment: Mapped[str] = mapped_column(String(16))
    probabilities: Mapped[dict[str, Any]]
    copy_of: Mapped[int | None] = mapped_column(index=True)


class Alert(Table):
    """A surge; `key` (company and the opening that was told) makes it one, however often the news are read again.

    `changed` counts the company's stories up to the one that made the alert what it is: of two servers that keep it,
    the one that has read further is right.
    """

    __tablename__ = "alerts"

    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str] = mapped_column(String(NAME), index=True, server_default=_FIRST)
    key: Mapped[str] = mapped_column(String(KEY), unique=True)
    company: Mapped[str] = mapped_column(String(NAME), index=True)
    opened: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16))
    severity: Mapped[str] = mapped_column(String(16))
    reason: Mapped[dict[str, Any]]
    changed: Mapped[int] = mapped_column(default=0, server_default="0")

    @classmethod
    def expired(cls, before: datetime) -> ColumnElement[bool]:
        """Alerts that were resolved before, with their history, unless the news that would tell them again stay."""
        last = select(func.max(AlertChange.time)).where(AlertChange.alert_id == cls.id).scalar_subquery()
        story = select(News.id).where(News.app == cls.app, News.company == cls.company, News.time == cls.opened)
        return (cls.state == "resolved") & (last < before) & ~story.correlate(cls).exists()


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


def add(session: Session, app: str, items: Sequence[Mapping[str, Any]]) -> list[News]:
    """Take in items (`key`, `time`, `company`, `headline`, `arrived`) whose keys are new there, and say which were.

    Items get their numbers in the order in which they become visible, so `behind` misses none.
    """
    _lock(session, News)
    new: list[News] = []
    for at in range(0, len(items), _AT_ONCE):
        rows = [{**item, "app": app, "key": _scoped(app, item["key"])} for item in items[at : at + _AT_ONCE]]
        new += put_once(session, News, rows, ["key"])
    return sorted(new, key=lambda item: item.id)


def unexpired(session: Session, app: str, items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Items that are not from before their company's baseline; nobody moves it until the transaction ends."""
    _lock(session, News)
    begins = {base.company: base.moment for base in baselines(session, app, 0)}
    return [item for item in items if item["company"] not in begins or item["time"] >= begins[item["company"]]]


def baselines(session: Session, app: str, revision: int) -> list[Base]:
    """Baselines that were moved since the purge of that number (0 for all)."""
    return list(session.scalars(select(Base).where(Base.app == app, Base.revision > revision)))


def move_baselines(session: Session, app: str, before: datetime) -> None:
    """Let companies' courses begin as late as they can before a moment, and before the newest item that has come."""
    newest, number = session.execute(
        select(func.max(News.time).filter(News.time <= News.arrived), func.max(News.id)).where(News.app == app)
    ).one()
    if newest is None:
        return
    until = min(before, newest)
    known = {base.company: base for base in baselines(session, app, 0)}
    revision = max((base.revision for base in known.values()), default=0) + 1
    past = select(News, Score).outerjoin(Score, (Score.news_id == News.id) & Score.copy_of.is_not(None))
    past = past.where(News.app == app, News.time < until).order_by(News.company, News.time, News.key)
    for company, rows in groupby(session.execute(past), key=lambda row: row[0].company):
        base = known.get(company)
        items = list(rows)
        found = advanced(
            None if base is None else base.course, [_past(item, score) for item, score in items], until, learnt()
        )
        if found is None or found.moment <= (items[0][0].time if base is None else base.moment):
            continue  # nothing lies before it
        delays = [max((item.arrived - item.time).total_seconds(), 0.0) for item, _ in items if item.time < found.moment]
        moved = {
            **vars(found), "app": app, "company": company, "forgets": found.moment - CONTEXT,
            "delay": min(delays if base is None else [base.delay, *delays]), "newest": number, "revision": revision,
        }  # fmt: skip
        put(session, Base, [moved], ["app", "company"])


def _past(item: News, score: Score | None) -> Past:
    if score is None:
        return Past(Story(item.time, item.headline, 0.0, item.key), counts=False, steps=0)
    negative, copy_of = score.probabilities["negative"], score.copy_of or 0
    steps = 2 if copy_of > item.id else int(copy_of == 0)
    story = Story(item.time, item.headline, negative, item.key, score.topic)
    return Past(story, counts=copy_of == 0 and item.company != "", steps=steps)


def keep_scores(session: Session, scores: Sequence[Mapping[str, Any]]) -> None:
    """Keep how items were read: `news_id`, `version`, `topic`, `sentiment`, `probabilities`, `copy_of`.

    An item is read once: whoever comes second, perhaps with another version, finds what the first one made of it. An
    item that came late makes copies of those that were published behind it (`copies`), of which none was known.
    """
    _lock(session, Score)
    read = {score.news_id for score in readings(session, [score["news_id"] for score in scores])}
    new = [score for score in scores if score["news_id"] not in read]
    for at in range(0, len(new), _AT_ONCE):
        rows = [{key: value for key, value in score.items() if key != "copies"} for score in new[at : at + _AT_ONCE]]
        put(session, Score, rows, ["news_id", "version"])
    for score in new:
        if copies := score.get("copies"):
            session.execute(
                update(Score).where(Score.news_id.in_(copies), Score.copy_of == 0).values(copy_of=score["news_id"])
            )


def readings(session: Session, items: Sequence[int]) -> list[Score]:
    """How those of some items were read that have been."""
    return list(session.scalars(select(Score).where(Score.news_id.in_(items), Score.copy_of.is_not(None))))


def copies(session: Session, items: Sequence[int]) -> list[Score]:
    """How the copies of some items were read."""
    return list(session.scalars(select(Score).where(Score.copy_of.in_(items))))


def newest(
    session: Session,
    app: str,
    company: str | None,
    count: int,
    topic: str | None = None,
    sentiment: str | None = None,
    present: datetime | None = None,
) -> list[tuple[News, Score | None]]:
    """The newest items with their latest score, the newest first.

    Args:
        session: Session to read with.
        app: Name of the workspace.
        company: Company whose items are wanted; None for all.
        count: Number of items at most.
        topic: Topic of the score; None for any.
        sentiment: Sentiment of the score; None for any.
        present: Moment behind which no item is dated that has happened: such items stand where they arrived.
    """
    other = aliased(Score)
    version = select(func.max(other.version)).where(other.news_id == News.id).correlate(News).scalar_subquery()
    scores = (Score.news_id == News.id) & (Score.version == version)
    wanted = select(News, Score).outerjoin(Score, scores).where(News.app == app)
    for column, value in ((News.company, company), (Score.topic, topic), (Score.sentiment, sentiment)):
        if value is not None:
            wanted = wanted.where(column == value)
    past = wanted.order_by(News.time.desc(), News.id.desc()).limit(count)
    if present is None:
        return [(item, score) for item, score in session.execute(past)]
    ahead = wanted.where(News.time > present).order_by(News.id.desc()).limit(count)
    found = [*session.execute(past.where(News.time <= present)), *session.execute(ahead)]
    found.sort(key=lambda row: (row[0].arrived if row[0].time > present else row[0].time, row[0].id), reverse=True)
    return [(item, score) for item, score in found[:count]]


def behind(session: Session, app: str, number: int, count: int) -> list[News]:
    """Items in the order in which they arrived, from behind the one with that number (0 for the first)."""
    wanted = select(News).where(News.app == app, News.id > number)
    return list(session.scalars(wanted.order_by(News.id).limit(count)))


def revision(session: Session, app: str) -> tuple[int, int]:
    """Numbers of the newest item and of the newest step of an alert's history; 0 where there is none."""
    news = select(func.max(News.id)).where(News.app == app)
    changes = select(func.max(AlertChange.id)).join(Alert, Alert.id == AlertChange.alert_id).where(Alert.app == app)
    return session.scalar(news) or 0, session.scalar(changes) or 0


def item(session: Session, app: str, number: int) -> News | None:
    """The item of a number, which nobody else changes until the transaction ends."""
    return session.scalar(select(News).where(News.id == number, News.app == app).with_for_update())


def score(session: Session, number: int) -> Score | None:
    """The latest version's score of an item."""
    wanted = select(Score).where(Score.news_id == number)
    return session.scalar(wanted.order_by(Score.version.desc()).limit(1))


def keep_alert(session: Session, app: str, alert: Mapping[str, Any], who: str) -> tuple[Alert, str]:
    """Keep a workspace's alert (`key`, `company`, `opened`, `state`, `severity`, `reason`, `changed`), and its history.

    Whoever has not read further than what is kept brings no news, only the time that has passed since: so neither state
    nor severity goes back, and what a person has acknowledged stays so until it is resolved. News that came late may
    wake an alert that was resolved.

    Returns:
        The alert as it is kept, and its severity before, "" where it is new.
    """
    changed, key = alert.get("changed", 0), _scoped(app, alert["key"])
    if new := put_once(session, Alert, [{**alert, "app": app, "key": key, "changed": changed}], ["key"]):
        steps = ["open"] if alert["state"] == "open" else ["open", alert["state"]]
        session.add_all(AlertChange(alert_id=new[0].id, state=state, who=who) for state in steps)
        return new[0], ""
    wanted = select(Alert).where(Alert.key == key).with_for_update()
    kept = session.scalars(wanted.execution_options(populate_existing=True)).one()
    severity, is_news = kept.severity, changed > kept.changed
    if is_news:
        kept.opened, kept.reason, kept.changed = alert["opened"], alert["reason"], changed
    kept.severity = max(severity, alert["severity"], key=_SEVERITIES.index)
    if is_news and kept.state == "resolved" and alert["state"] != "resolved":
        change_alert(session, kept, alert["state"], who, "woken by news that came late")
    elif _STATES.index(alert["state"]) > _STATES.index(kept.state):
        change_alert(session, kept, alert["state"], who, "")
    session.flush()
    return kept, severity


def alerts(session: Session, app: str, count: int) -> list[Alert]:
    """The newest alerts, the newest first."""
    wanted = select(Alert).where(Alert.app == app)
    return list(session.scalars(wanted.order_by(Alert.opened.desc(), Alert.id.desc()).limit(count)))


def told(session: Session, app: str) -> list[Alert]:
    """Alerts of companies that have a baseline, in the order in which they were opened."""
    begun = select(Base.company).where(Base.app == app)
    return list(session.scalars(select(Alert).where(Alert.app == app, Alert.company.in_(begun)).order_by(Alert.id)))


def unscoped(alert: Alert) -> str:
    """The key of an alert in its workspace."""
    return alert.key if alert.app == _FIRST else alert.key.removeprefix(f"{alert.app}/")


def open_alerts(session: Session, app: str) -> int:
    """Number of alerts that nobody has acknowledged."""
    return session.scalar(select(func.count()).where(Alert.app == app, Alert.state == "open")) or 0


def alert(session: Session, app: str, identity: int, *, to_change: bool = False) -> Alert | None:
    """The alert of a number; one that is read to be changed is nobody else's until the transaction ends."""
    wanted = select(Alert).where(Alert.id == identity, Alert.app == app)
    return session.scalar(wanted.with_for_update() if to_change else wanted)


def change_alert(session: Session, alert: Alert, state: str, who: str, note: str) -> None:
    """Set an alert's state and write it into its history."""
    alert.state = state
    session.add(AlertChange(alert_id=alert.id, state=state, who=who, note=note))


def history(session: Session, alert: Alert) -> list[AlertChange]:
    """What became of an alert, oldest first."""
    return list(session.scalars(select(AlertChange).where(AlertChange.alert_id == alert.id).order_by(AlertChange.id)))


def _scoped(app: str, key: str) -> str:
    """A key that is no other workspace's."""
    if app == _FIRST:
        return key
    scoped = f"{app}/{key}"
    return scoped if len(scoped) <= KEY else sha256(scoped.encode()).hexdigest()


def _lock(session: Session, table: type[Table]) -> None:
    """Let nobody else add to a table until the transaction ends; SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"LOCK TABLE {table.__tablename__} IN SHARE ROW EXCLUSIVE MODE"))
