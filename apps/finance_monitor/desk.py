"""The desk that is always open: news that are pushed are kept, read and watched, and alerts have a history.

What the monitor knows follows from the stored news alone, in the order of their arrival. So a desk that was killed
knows the same again, and several desks on one store open the same alerts.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from apps.finance_monitor import alerts
from apps.finance_monitor import tables as news
from apps.finance_monitor.data import SENTIMENTS, TOPICS
from apps.finance_monitor.feed import Item
from apps.finance_monitor.monitor import Label, Monitor, Watch
from apps.finance_monitor.service import FinanceService
from apps.finance_monitor.tables import Alert, AlertChange, News, Score
from core.platform.auth.access import Principal
from core.platform.inference.drift import WATCH
from core.platform.inference.metrics import ALERTS, DECISIONS, FEEDBACK
from core.platform.store import decisions
from core.platform.store.database import Store
from core.platform.versions.live import LiveModel
from core.rl.explore import Explorer
from core.util.errors import NotFoundError

APP = "finance_monitor"
_AT_ONCE = 256
# Longer than what the detector takes for the usual rate remembers.
_PAST = timedelta(days=84)


@dataclass(frozen=True)
class Delivered:
    """An item as a feed delivers it; the same `key` counts once."""

    key: str
    item: Item


@dataclass(frozen=True)
class Taken:
    """What became of a delivery: items that were new, and alerts that they opened or raised."""

    new: int
    alerts: list[Alert]


class NewsDesk:
    """Keeps news, their labels, and alerts.

    Args:
        store: where they are kept.
        services: reads headlines, by the version that serves at the moment.
        explorer: has no use here: a wrong label on purpose would alarm people.
    """

    def __init__(self, store: Store, services: LiveModel[FinanceService], explorer: Explorer) -> None:
        del explorer
        self.store, self.services = store, services
        self.monitor = Monitor()
        self._seen = 0
        self._lock = threading.Lock()
        with store.reading() as session:
            latest = news.latest_time(session)
        self._since = latest - _PAST if latest else None
        self.catch_up()

    @property
    def service(self) -> FinanceService:
        """What reads headlines at the moment."""
        return self.services.current[0]

    def push(self, delivered: Sequence[Delivered]) -> Taken:
        """Take in a delivery; it is on disk when this returns."""
        rows = [{"key": d.key, **_columns(d.item)} for d in {d.key: d for d in delivered}.values()]
        with self.store.transaction() as session:
            new = len(news.add(session, rows))
        return Taken(new, self.catch_up())

    def catch_up(self) -> list[Alert]:
        """Read whatever arrived since the last time, here or elsewhere; alerts that changed."""
        changed: dict[int, Alert] = {}
        with self._lock:
            try:
                while items := self._next():
                    changed |= {alert.id: alert for alert in self._read(items)}
                    self._seen = items[-1].id
            except BaseException:  # the monitor may have counted what is not noted: let it read everything again
                self.monitor, self._seen = Monitor(), 0
                raise
        return list(changed.values())

    def newest(self, company: str | None, count: int) -> list[tuple[News, Score | None]]:
        """The newest items with their label, the newest first."""
        with self.store.reading() as session:
            return news.newest(session, company, count)

    def watchlist(self) -> list[Watch]:
        """A line for each company, those with alerts and bad news first."""
        self.catch_up()
        with self._lock:
            if not self.monitor.seen:
                return []
            latest = max(seen.item.time for seen in self.monitor.seen)
            known = {seen.item.company for seen in self.monitor.seen}
            return self.monitor.watchlist(sorted({*self.service.newsroom.companies, *known}), latest)

    def trend(self, company: str | None, topic: str | None, days: int) -> dict[str, list[int]]:
        """New stories of each sentiment on each of the last days, oldest first."""
        self.catch_up()
        with self._lock:
            if not self.monitor.seen:
                return {sentiment: [0] * days for sentiment in SENTIMENTS}
            latest = max(seen.item.time for seen in self.monitor.seen)
            return self.monitor.daily(company, topic, latest, days)

    def alerts(self, count: int) -> list[Alert]:
        """The newest alerts, the newest first."""
        with self.store.reading() as session:
            return news.alerts(session, count)

    def alert(self, number: int) -> tuple[Alert, list[AlertChange]]:
        """An alert and its history.

        Raises:
            NotFoundError: there is none of that number.
        """
        with self.store.reading() as session:
            found = _known(news.alert(session, number), "alert")
            return found, news.history(session, found)

    def acknowledge(self, who: Principal, number: int, note: str) -> Alert:
        """Note that a person has seen an alert; one that is resolved stays so.

        Raises:
            NotFoundError: there is none of that number.
        """
        with self.store.transaction() as session:
            found = _known(news.alert(session, number), "alert")
            if found.state == "open":
                news.change_alert(session, found, "acknowledged", who.name, note)
            return found

    def correct(self, who: Principal, number: int, topic: str, sentiment: str) -> None:
        """Keep what a person says an item is about; the next version learns from it.

        Raises:
            NotFoundError: there is no item of that number, or it has not been read yet.
        """
        with self.store.transaction() as session:
            item = _known(news.item(session, number), "item")
            score = _known(news.score(session, number), "label of that item")
            decision = decisions.keep(
                session,
                app=APP,
                owner=who.name,
                version=score.version,
                state={
                    "company": item.company,
                    "headline": item.headline,
                    "confidence": max(score.probabilities.values()),
                },
                action=[TOPICS.index(score.topic) * len(SENTIMENTS) + SENTIMENTS.index(score.sentiment)],
                propensity=1.0,
            )
            right = (score.topic, score.sentiment) == (topic, sentiment)
            about = {"topic": topic, "sentiment": sentiment}
            decisions.judge(session, decision, who.name, 1.0 if right else -1.0, about)
        FEEDBACK.labels(APP, "good" if right else "bad").inc()
        WATCH.note(APP, "outcomes", 1.0 if right else -1.0)

    def _next(self) -> list[News]:
        with self.store.reading() as session:
            return news.behind(session, self._seen, _AT_ONCE, self._since)

    def _read(self, stored: Sequence[News]) -> list[Alert]:
        service, version = self.services.current
        items = [Item(time=n.time, company=n.company, headline=n.headline) for n in stored]
        labels = service.labels(items)
        self.monitor.take(items, labels, service.vectors(items))
        scores = [_score(n, label, version) for n, label in zip(stored, labels, strict=True)]
        for label in labels:
            DECISIONS.labels(APP, version, label.sentiment).inc()
            WATCH.note(APP, "inputs", max(label.sentiments))
        first = min(item.time for item in items)
        recent = [a for a in self.monitor.alerts if a.resolved is None or a.resolved >= first]
        with self.store.transaction() as session:
            news.put_scores(session, scores)
            before = {alert.key: alert.severity for alert in news.alerts(session, len(self.monitor.alerts) + 1)}
            kept = [news.keep_alert(session, _row(alert), "monitor") for alert in recent]
        ALERTS.inc(sum(alert.key not in before for alert in kept))
        return [alert for alert in kept if before.get(alert.key) != alert.severity]


def _known(found: Any, what: str) -> Any:
    if found is None:
        raise NotFoundError(f"There is no such {what}.")
    return found


def _columns(item: Item) -> dict[str, Any]:
    return {"time": item.time, "company": item.company, "headline": item.headline}


def _score(item: News, label: Label, version: str) -> dict[str, Any]:
    return {
        "news_id": item.id,
        "version": version,
        "topic": label.topic,
        "sentiment": label.sentiment,
        "probabilities": dict(zip(SENTIMENTS, label.sentiments, strict=True)),
    }


def _row(alert: alerts.Alert) -> dict[str, Any]:
    causes = [{"time": c.time.isoformat(), "headline": c.headline, "negative": c.negative} for c in alert.causes]
    return {
        "key": f"{alert.company}@{alert.opened.isoformat()}",
        "company": alert.company,
        "opened": alert.opened,
        "state": alert.state,
        "severity": alert.severity,
        "reason": {"usual": alert.usual, "hours": alert.hours, "causes": causes},
    }
