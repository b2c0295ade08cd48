"""The monitor: news that are pushed are kept, read and watched, and alerts have a history.

Page, API, tools, queue, followed feed, replay and backtest all call this one service. What it knows follows from the
stored news alone and from how each was read when it came, which is stored too. So a monitor that was killed knows the
same again, whatever serves by then, and several of them on one store open the same alerts, each told once.
"""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import takewhile
from typing import Any, Protocol, TypeVar

import structlog
from prometheus_client import Counter

from apps.finance_monitor import rows, tables
from apps.finance_monitor.alerting.rule import Rule
from apps.finance_monitor.alerts import Alert
from apps.finance_monitor.clock import Clock, is_ahead, wall_clock
from apps.finance_monitor.config import NewsConfig
from apps.finance_monitor.data import SENTIMENTS, TOPICS, Company, Sentiment
from apps.finance_monitor.engine import Label
from apps.finance_monitor.feed import MAX_HEADLINE, Item
from apps.finance_monitor.markup import without_markup
from apps.finance_monitor.model import NewsModel, Read
from apps.finance_monitor.monitor import Monitor, Watch
from apps.finance_monitor.records import AlertHistory, AlertLine, Change, FeedState, StoredItem, Taken
from apps.finance_monitor.stories import StoryFolder
from core.platform.auth.access import Principal
from core.platform.inference.drift import WATCH
from core.platform.inference.metrics import DECISIONS, FEEDBACK
from core.platform.store import decisions
from core.platform.store.database import Session, Store
from core.rl.explore import Explorer
from core.training.workspace import Workspace
from core.util.errors import NotFoundError, SteerError

__all__ = [
    "MAX_HEADLINE", "SENTIMENTS", "TOPICS", "AlertHistory", "AlertLine", "Company", "FeedState", "Item", "Label",
    "MonitorService", "Principal", "Sentiment", "StoredItem", "Taken", "Watch",
]  # fmt: skip

_LOG = structlog.get_logger()
ALERTS = Counter("steer_alerts_total", "Alerts that were opened", ["app"])
_AT_ONCE = 256
# However many pages ask, the store is asked no more often what is new.
_LOOK_SECONDS = 0.4

Found = TypeVar("Found")


class CurrentModel(Protocol):
    """Says which version serves."""

    @property
    def current(self) -> tuple[NewsModel, str]:
        """The model and the name of its version."""


class MonitorService:
    """Keeps news, their labels, and alerts.

    Args:
        store: Store that keeps them.
        live: Model of the version that serves at the moment.
        explorer: Has no use here: a wrong label on purpose would alarm people.
        rule: Rule by which alerts are opened; None for the learnt one.
        is_live: Whether metrics and drift count what this monitor does; a replay's does not count.
        present: Function that returns the present, see `apps.finance_monitor.clock`.

    Attributes:
        feeds: State of each feed that this server follows, by name.
    """

    def __init__(
        self,
        store: Store,
        live: CurrentModel,
        explorer: Explorer,
        *,
        rule: Rule | None = None,
        is_live: bool = True,
        present: Callable[[], datetime] = wall_clock,
    ) -> None:
        del explorer
        self.store, self.live, self._rule, self.is_live = store, live, rule, is_live
        self.app, self._present = live.current[0].task.name, present
        self.feeds: dict[str, FeedState] = {}
        self._lock = threading.Lock()
        self._look = threading.Lock()
        self._looked, self._revision = 0.0, (0, 0)
        self._start_over()
        self.catch_up()

    # Reading headlines

    @property
    def companies(self) -> list[Company]:
        """The watchlist."""
        return list(self._model.news.companies.values())

    @property
    def topics(self) -> list[str]:
        """Topics that headlines may have."""
        return self._model.news.topics

    def name(self, company: str) -> str:
        """What people call a company."""
        return self._model.news.name(company)

    def read(self, typed: Sequence[Read]) -> list[Label]:
        """Label headlines, each with the company that it is about (or an empty text); nothing is kept.

        Raises:
            SteerError: One is empty, too long, or not text.
        """
        return self._model.read(typed)

    # News

    @property
    def workspace(self) -> Workspace[NewsConfig]:
        """Where the news come from."""
        return self._model.task.workspace

    def push(self, items: Sequence[Item]) -> Taken:
        """Take in a delivery; it is on disk when this returns.

        News without a company are read once for each company of the watchlist that the headline names.
        """
        present = self._present()
        linked = (reading for item in items for reading in self._linked(item))
        sent = list({item.key: item.model_dump() | {"arrived": present} for item in linked}.values())
        with self.store.transaction() as session:
            kept = tables.unexpired(session, self.app, sent)
            new = tables.add(session, self.app, kept)
        if expired := len(sent) - len(kept):
            _LOG.warning("older than what is kept: left out", items=expired)
        for item in new:
            if is_ahead(item.time, present):
                _LOG.warning("dated in the future: it counts from then on", key=item.key, time=item.time.isoformat())
        return Taken(new=len(new), expired=expired, alerts=self.catch_up())

    def catch_up(self) -> list[AlertLine]:
        """Read whatever arrived since the last time, here or elsewhere; alerts that were opened or raised."""
        return self._update(lambda clock: None)

    def pass_time(self, now: datetime) -> None:
        """Let the clock reach a moment though nothing was published, which resolves alerts that have gone quiet."""
        self._update(lambda clock: clock.reach(now))

    def tick(self) -> None:
        """Let the clock run on with the wall clock, which resolves alerts that have gone quiet."""
        self._update(Clock.run)

    def revision(self) -> tuple[int, int]:
        """Another value whenever a page would show something else; cheap, and takes in what came from elsewhere."""
        with self._look:
            if time.monotonic() - self._looked >= _LOOK_SECONDS:
                newest, change = self._stored_revision()
                if newest > self._seen:
                    self.catch_up()
                    newest, change = self._stored_revision()
                self._looked, self._revision = time.monotonic(), (self._seen, change)
            return self._revision

    def items(
        self, limit: int, company: str | None = None, topic: str | None = None, sentiment: str | None = None
    ) -> list[StoredItem]:
        """The newest items with their labels, the newest first; of one company, topic or sentiment, or of all.

        Raises:
            SteerError: There is no such topic.
        """
        self._check_topic(topic)
        present = self._present()
        with self.store.reading() as session:
            found = tables.newest(session, self.app, company, limit, topic, sentiment, present)
        return [
            StoredItem(
                id=item.id,
                time=item.time,
                company=item.company,
                headline=item.headline,
                topic=score.topic if score else None,
                sentiment=score.sentiment if score else None,
                is_copy=item.id in self._monitor.copies,
                is_ahead=is_ahead(item.time, present),
            )
            for item, score in found
        ]

    def correct(self, principal: Principal, item_id: int, topic: str, sentiment: Sentiment) -> None:
        """Keep what a person says an item is about; the next version learns from it.

        Raises:
            NotFoundError: There is no item of that number, or it has not been read yet.
            SteerError: There is no such topic.
        """
        self._check_topic(topic)
        with self.store.transaction() as session:
            principal.hold(session)
            item = _known(tables.item(session, self.app, item_id), "item")
            score = _known(tables.score(session, item_id), "label of that item")
            label = f"{score.topic}/{score.sentiment}"
            # Who says it twice, or has changed their mind, speaks of the same decision.
            decision = sha256(f"{self.app} {item_id} {score.version} {label}".encode()).hexdigest()[:32]
            if decisions.find(session, self.app, decision) is None:
                confidence = max(score.probabilities.values())
                decisions.keep(
                    session,
                    app=self.app,
                    owner="",  # the headline is public, and nobody's
                    version=score.version,
                    state={"company": item.company, "headline": item.headline, "confidence": confidence},
                    action=[label],
                    propensity=1.0,
                    decision_id=decision,
                )
            value = 1.0 if (score.topic, score.sentiment) == (topic, sentiment) else -1.0
            decisions.judge(session, decision, principal.name, value, {"topic": topic, "sentiment": sentiment})
        if self.is_live:
            FEEDBACK.labels(self.app, "good" if value > 0 else "bad").inc()
            WATCH.note(self.app, "outcomes", value)

    # What is watched

    @property
    def now(self) -> datetime | None:
        """What the monitor's clock shows, see `Clock`; None before the first item."""
        return self._monitor.clock.now

    @property
    def newest(self) -> datetime | None:
        """Time of the newest item that counts; None before the first."""
        return self._monitor.clock.newest

    def watchlist(self) -> list[Watch]:
        """A line for each company, those with alerts and bad news first."""
        self.catch_up()
        with self._lock:
            return self._monitor.watchlist(list(self._model.news.companies)) if len(self._monitor) else []

    def trend(self, company: str | None, topic: str | None, days: int) -> dict[Sentiment, list[int]]:
        """New stories of each sentiment on each of the last days, oldest first.

        Raises:
            SteerError: There is no such topic.
        """
        self._check_topic(topic)
        self.catch_up()
        with self._lock:
            return self._monitor.daily(company, topic, days)

    # Alerts

    def counts(self) -> dict[str, int]:
        """What waits for people, for the start page."""
        with self.store.reading() as session:
            waiting = {"open_alerts": tables.open_alerts(session, self.app)}
        failing = sum(bool(feed.error) for feed in list(self.feeds.values()))
        return {**waiting, "failing_feeds": failing} if failing else waiting

    def alerts(self, limit: int) -> list[AlertLine]:
        """The newest alerts, the newest first."""
        with self.store.reading() as session:
            return [AlertLine.model_validate(alert) for alert in tables.alerts(session, self.app, limit)]

    def alert(self, alert_id: int) -> AlertHistory:
        """An alert and its history.

        Raises:
            NotFoundError: There is none of that number.
        """
        with self.store.reading() as session:
            found = _known(tables.alert(session, self.app, alert_id), "alert")
            history = [Change.model_validate(change) for change in tables.history(session, found)]
        return AlertHistory(**vars(AlertLine.model_validate(found)), history=history)

    def acknowledge(self, principal: Principal, alert_id: int, note: str) -> AlertLine:
        """Note that a person has seen an alert; one that is resolved stays so.

        Raises:
            NotFoundError: There is none of that number.
        """
        with self.store.transaction() as session:
            principal.hold(session)
            found = _known(tables.alert(session, self.app, alert_id, to_change=True), "alert")
            if found.state == "open":
                tables.change_alert(session, found, "acknowledged", principal.name, note)
        self._looked = 0.0
        return AlertLine.model_validate(found)

    # Helpers

    @property
    def _model(self) -> NewsModel:
        return self.live.current[0]

    def _check_topic(self, topic: str | None) -> None:
        if topic is not None and topic not in self.topics:
            raise SteerError(f"There is no topic {topic!r}; there are {', '.join(self.topics)}.")

    def _start_over(self) -> None:
        self._monitor, self._seen = Monitor(Clock(self._present), self._rule), 0
        self._purged, self._is_starting = 0, True
        self._folder = StoryFolder(lambda headlines: self._model.vectors(headlines), present=self._present)
        self._kept: dict[str, tuple[int, str]] = {}

    def _update(self, move: Callable[[Clock], None]) -> list[AlertLine]:
        """Read what is new, then move the clock; alerts that were opened or raised."""
        raised: dict[int, AlertLine] = {}
        with self._lock:
            try:
                while news := self._next():
                    raised |= {alert.id: alert for alert in self._read(news)}
                    self._seen = news[-1].id
                if self._is_starting:
                    with self.store.reading() as session:
                        self._resume(session)
                move(self._monitor.clock)
                self._monitor.let_run()
                if changed := self._changed_alerts():
                    with self.store.transaction() as session:
                        raised |= {alert.id: alert for alert in self._keep(session, changed)}
            except BaseException:  # the monitor may have counted what is not noted: let it read everything again
                self._start_over()
                raise
            finally:
                self._looked = 0.0
        return list(raised.values())

    def _linked(self, item: Item) -> list[Item]:
        """An item under the id of its company, or one for each company that the headline names."""
        linker = self._model.news.linker
        if item.company:
            return [item.model_copy(update={"company": linker.id_of(item.company)})]
        found = linker.companies(without_markup(item.headline)) or [""]
        keys = [item.key, *(sha256(f"{item.key} {company}".encode()).hexdigest() for company in found[1:])]
        return [
            item.model_copy(update={"key": key, "company": company}) for key, company in zip(keys, found, strict=True)
        ]

    def _stored_revision(self) -> tuple[int, int]:
        with self.store.reading() as session:
            return tables.revision(session, self.app)

    def _next(self) -> list[tables.News]:
        with self.store.reading() as session:
            moved = tables.baselines(session, self.app, self._purged)
            if moved and self._seen and (self._is_starting or any(base.newest > self._seen for base in moved)):
                self._start_over()  # some of what is gone was never read here
                moved = tables.baselines(session, self.app, 0)
            if moved:
                self._begin(moved)
            return tables.behind(session, self.app, self._seen, _AT_ONCE)

    def _begin(self, moved: Sequence[tables.Base]) -> None:
        """Let companies begin at baselines, and forget what lies too far before them."""
        self._purged = max(base.revision for base in moved)
        for base in moved:
            self._folder.forget(base.company, base.forgets)
            self._monitor.clock.lag(timedelta(seconds=base.delay))
        self._monitor.begin({base.company: base.course for base in moved}, is_start=self._is_starting)

    def _resume(self, session: Session) -> None:
        """Know again what was told about companies that began at a baseline: all is read that was read before."""
        alerts = [rows.told(alert, tables.unscoped(alert)) for alert in tables.told(session, self.app)]
        self._kept |= {alert.key: (alert.changed, alert.state) for alert in self._monitor.resume(alerts)}
        self._is_starting = False

    def _read(self, news: Sequence[tables.News]) -> list[AlertLine]:
        """Count news, after reading those that nobody has read yet; alerts that were opened or raised."""
        numbers = [item.id for item in news]
        with self.store.reading() as session:
            known = {score.news_id for score in tables.readings(session, numbers)}
        scores = self._scores(news, known)
        with self.store.transaction() as session:
            tables.keep_scores(session, scores)
            read = {score.news_id: score for score in tables.readings(session, numbers)}
            copies = tables.copies(session, numbers)
            readings = [rows.reading(item, read[item.id], copies) for item in news]
            old = sum(1 for _ in takewhile(known.__contains__, numbers)) if self._is_starting else 0
            self._monitor.take(readings[:old])
            if self._is_starting and old < len(news):
                self._resume(session)
            self._monitor.take(readings[old:])
            return self._keep(session, self._changed_alerts())

    def _scores(self, news: Sequence[tables.News], known: Collection[int]) -> list[dict[str, Any]]:
        """Label news that are not known, and find out which of them are copies of what."""
        model, version = self.live.current
        new = [item for item in news if item.id not in known]
        labels = model.labels([(item.company, item.headline) for item in new])
        model.vectors([item.headline for item in new])  # at once, of which the folder asks for one after the other
        if self.is_live:
            for label in labels:
                DECISIONS.labels(self.app, version, label.sentiment).inc()
                WATCH.note(self.app, "inputs", max(label.probabilities.values()))
        folded = {item.id: self._fold(item, is_known=item.id in known) for item in news}
        return [rows.score(item, label, version, *folded[item.id]) for item, label in zip(new, labels, strict=True)]

    def _fold(self, item: tables.News, *, is_known: bool) -> tuple[list[int], list[int]]:
        headline = (item.id, item.company, item.time, item.key, item.headline)
        if not is_known:
            return self._folder.fold(*headline)
        self._folder.add(*headline)
        return [], []

    def _changed_alerts(self) -> list[Alert]:
        return [alert for alert in self._monitor.alerts if self._kept.get(alert.key) != (alert.changed, alert.state)]

    def _keep(self, session: Session, changed: Sequence[Alert]) -> list[AlertLine]:
        """Keep alerts that have changed; which of them are new or more severe."""
        kept = [tables.keep_alert(session, self.app, rows.alert(alert), "monitor") for alert in changed]
        if self.is_live:
            ALERTS.labels(self.app).inc(sum(before == "" for _, before in kept))
        self._kept |= {alert.key: (alert.changed, alert.state) for alert in changed}
        return [AlertLine.model_validate(alert) for alert, before in kept if alert.severity != before]


def _known(found: Found | None, what: str) -> Found:
    if found is None:
        raise NotFoundError(f"There is no such {what}.")
    return found
