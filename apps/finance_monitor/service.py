"""The monitor: news that are pushed are kept, read and watched, and alerts have a history.

Page, API, tools, queue, followed feed, replay and backtest all call this one service. What it knows follows from the
stored news alone and from how each was read when it came, which is stored too. So a monitor that was killed knows the
same again, whatever serves by then, and several of them on one store open the same alerts, each told once.
"""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import TypeVar

import structlog

from apps.finance_monitor import tables
from apps.finance_monitor.alerting.rule import Rule
from apps.finance_monitor.clock import Clock, is_ahead, wall_clock
from apps.finance_monitor.config import NewsConfig
from apps.finance_monitor.data import SENTIMENTS, TOPICS, Company, Sentiment
from apps.finance_monitor.engine import Label
from apps.finance_monitor.feed import MAX_HEADLINE, Item
from apps.finance_monitor.markup import without_markup
from apps.finance_monitor.model import NewsModel, Read
from apps.finance_monitor.monitor import Watch
from apps.finance_monitor.records import AlertHistory, AlertLine, Change, FeedState, StoredItem, Taken
from apps.finance_monitor.watcher import CurrentModel, Watcher
from core.platform.auth.access import Principal
from core.platform.inference.drift import WATCH
from core.platform.inference.metrics import FEEDBACK
from core.platform.store import decisions
from core.platform.store.database import Store
from core.rl.explore import Explorer
from core.training.workspace import Workspace
from core.util.errors import NotFoundError, SteerError

__all__ = [
    "MAX_HEADLINE", "SENTIMENTS", "TOPICS", "AlertHistory", "AlertLine", "Company", "FeedState", "Item", "Label",
    "MonitorService", "Principal", "Sentiment", "StoredItem", "Taken", "Watch",
]  # fmt: skip

_LOG = structlog.get_logger()
# However many pages ask, the store is asked no more often what is new.
_LOOK_SECONDS = 0.4

Found = TypeVar("Found")


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
        self.store, self.live, self.is_live = store, live, is_live
        self.app, self._present = live.current[0].task.name, present
        self.feeds: dict[str, FeedState] = {}
        self._watcher = Watcher(store, live, self.app, rule=rule, is_live=is_live, present=present)
        self._look = threading.Lock()
        self._looked, self._revision = 0.0, (0, 0)
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
                if newest > self._watcher.seen:
                    self.catch_up()
                    newest, change = self._stored_revision()
                self._looked, self._revision = time.monotonic(), (self._watcher.seen, change)
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
                is_copy=item.id in self._watcher.copies,
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
        return self._watcher.clock.now

    @property
    def newest(self) -> datetime | None:
        """Time of the newest item that counts; None before the first."""
        return self._watcher.clock.newest

    def watchlist(self) -> list[Watch]:
        """A line for each company, those with alerts and bad news first."""
        self.catch_up()
        return self._watcher.watchlist(list(self._model.news.companies))

    def trend(self, company: str | None, topic: str | None, days: int) -> dict[Sentiment, list[int]]:
        """New stories of each sentiment on each of the last days, oldest first.

        Raises:
            SteerError: There is no such topic.
        """
        self._check_topic(topic)
        self.catch_up()
        return self._watcher.daily(company, topic, days)

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

    def _update(self, move: Callable[[Clock], None]) -> list[AlertLine]:
        try:
            return self._watcher.update(move)
        finally:
            self._looked = 0.0

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


def _known(found: Found | None, what: str) -> Found:
    if found is None:
        raise NotFoundError(f"There is no such {what}.")
    return found
