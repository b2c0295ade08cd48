"""What a monitor knows: the stored news, read in the order of their arrival, and the alerts that follow from them.

It follows from the store alone, so that a monitor that was killed, and another one on the same store, know the same.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Protocol

from prometheus_client import Counter

from apps.finance_monitor import rows, tables
from apps.finance_monitor.alerting.rule import Rule
from apps.finance_monitor.alerts import Alert
from apps.finance_monitor.clock import Clock
from apps.finance_monitor.data import Sentiment
from apps.finance_monitor.model import NewsModel
from apps.finance_monitor.monitor import Monitor, Watch
from apps.finance_monitor.records import AlertLine
from apps.finance_monitor.stories import StoryFolder
from core.platform.inference.drift import WATCH
from core.platform.inference.metrics import DECISIONS
from core.platform.store.database import Session, Store

ALERTS = Counter("steer_alerts_total", "Alerts that were opened", ["app"])
_AT_ONCE = 256


class CurrentModel(Protocol):
    """Says which version serves."""

    @property
    def current(self) -> tuple[NewsModel, str]:
        """The model and the name of its version."""


class Watcher:
    """Reads what the store holds and has not been read, and keeps the alerts that open, change and close.

    Args:
        store: Store of news and alerts.
        live: Model of the version that serves at the moment.
        app: Name under which the store keeps them.
        rule: Rule by which alerts are opened; None for the learnt one.
        is_live: Whether metrics and drift count what is read.
        present: Function that returns the present.

    Attributes:
        seen: Number of the last item that was read.
    """

    def __init__(
        self,
        store: Store,
        live: CurrentModel,
        app: str,
        *,
        rule: Rule | None,
        is_live: bool,
        present: Callable[[], datetime],
    ) -> None:
        self.store, self.live, self.app = store, live, app
        self._rule, self.is_live, self._present = rule, is_live, present
        self._lock = threading.Lock()
        self._start_over()

    @property
    def clock(self) -> Clock:
        """The monitor's clock."""
        return self._monitor.clock

    @property
    def copies(self) -> Collection[int]:
        """Numbers of the items that repeat another one."""
        return self._monitor.copies

    def watchlist(self, companies: list[str]) -> list[Watch]:
        """A line for each company; none before the first item."""
        with self._lock:
            return self._monitor.watchlist(companies) if len(self._monitor) else []

    def daily(self, company: str | None, topic: str | None, days: int) -> dict[Sentiment, list[int]]:
        """New stories of each sentiment on each of the last days, oldest first."""
        with self._lock:
            return self._monitor.daily(company, topic, days)

    def update(self, move: Callable[[Clock], None]) -> list[AlertLine]:
        """Read what is new, then move the clock; alerts that were opened or raised."""
        raised: dict[int, AlertLine] = {}
        with self._lock:
            try:
                while news := self._next():
                    raised |= {alert.id: alert for alert in self._read(news)}
                    self.seen = news[-1].id
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
        return list(raised.values())

    def _start_over(self) -> None:
        self._monitor, self.seen = Monitor(Clock(self._present), self._rule), 0
        self._purged, self._is_starting = 0, True
        self._folder = StoryFolder(lambda headlines: self.live.current[0].vectors(headlines), present=self._present)
        self._kept: dict[str, tuple[int, str]] = {}

    def _next(self) -> list[tables.News]:
        with self.store.reading() as session:
            moved = tables.baselines(session, self.app, self._purged)
            if moved and self.seen and (self._is_starting or any(base.newest > self.seen for base in moved)):
                self._start_over()  # some of what is gone was never read here
                moved = tables.baselines(session, self.app, 0)
            if moved:
                self._begin(moved)
            return tables.behind(session, self.app, self.seen, _AT_ONCE)

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
