"""What the page, the API and the backtest ask of the finance monitor."""

import os
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from apps.finance_monitor.feed import FeedFile, Item
from apps.finance_monitor.monitor import Label, Monitor
from apps.finance_monitor.newsroom import SENTIMENTS, TOPICS, Company
from apps.finance_monitor.task import FinanceMonitor
from core.errors import SteerError
from core.models.encoder import TextEncoder
from core.serving.typed import typed_text
from core.task import Task
from core.training import Run, trained_policy
from core.workflow import open_task

MAX_HEADLINE = 500
FEED_VARIABLE = "STEER_FINANCE_FEED"
_REMEMBERED = 50_000


class Session:
    """One viewer's clock over a source of news; nothing of it is shared with another viewer.

    Args:
        service: labels the news.
        items: the news to replay, in order of time; empty when a feed is followed.
        start: where the clock begins; earlier news is taken in at once, as the past that a usual rate needs.
        feed: followed instead of replayed when given.
    """

    def __init__(
        self, service: "FinanceService", items: Sequence[Item], start: datetime, feed: FeedFile | None = None
    ) -> None:
        self.service, self.now, self.feed = service, start, feed
        self.monitor = Monitor()
        self._items, self._next = list(items), 0
        self._lock = threading.Lock()
        self.advance(timedelta(0))

    @property
    def finished(self) -> bool:
        """Whether a replay has shown everything."""
        return self.feed is None and self._next >= len(self._items)

    def advance(self, span: timedelta) -> int:
        """Let the clock run by `span` and take in what was published (or, from a feed, what has arrived).

        Returns:
            How many items were taken in.
        """
        with self._lock:
            if self.feed is not None:
                self._items += sorted(self.feed.poll(), key=lambda item: item.time)
                self.now = max([self.now, *(item.time for item in self._items[self._next :])])
            else:
                self.now += span
            begin = self._next
            while self._next < len(self._items) and self._items[self._next].time <= self.now:
                self._next += 1
            new = self._items[begin : self._next]
            if new:
                self.monitor.take(new, self.service.labels(new), self.service.vectors(new))
            self.monitor.pass_time(self.now)
            return len(new)

    @property
    def size(self) -> int:
        """Items known so far, shown or not."""
        return len(self._items)

    @property
    def companies(self) -> list[str]:
        """The watchlist, then whatever other companies the news was about."""
        watched = list(self.service.newsroom.companies)
        return list(dict.fromkeys([*watched, *(seen.item.company for seen in self.monitor.seen)]))

    def acknowledge_all(self) -> None:
        """Mark every open alert as seen by a person."""
        with self._lock:
            for alert in self.monitor.alerts:
                if alert.state == "open":
                    alert.state = "acknowledged"


class FinanceService:
    """Labels headlines by the trained policy and remembers the labels, which depend on nothing but the text.

    Args:
        task: with the settings that the policy was trained with.
        run: the run that holds the policy.
    """

    def __init__(self, task: Task, run: Run) -> None:
        assert isinstance(task, FinanceMonitor)
        self.newsroom = task.newsroom
        self.policy = trained_policy(task, run)
        self._encoder = TextEncoder(task.settings.encoder.name, max_length=48)
        self._labels: dict[str, Label] = {}
        self._one_at_a_time = threading.Lock()

    @property
    def companies(self) -> list[Company]:
        """The watchlist."""
        return list(self.newsroom.companies.values())

    def name(self, company: str) -> str:
        """What people call a company."""
        known = self.newsroom.companies.get(company)
        return known.name if known else company

    def history(self) -> list[Item]:
        """The shipped news, in order of time, without its labels."""
        return [Item(time=news.time, company=news.company, headline=news.headline) for news in self.newsroom.news]

    def replay(self, start: datetime) -> Session:
        """A viewer's replay of the shipped news, or of the file that `STEER_FINANCE_FEED` names, followed live."""
        path = os.environ.get(FEED_VARIABLE)
        if path:
            return Session(self, [], start, FeedFile(Path(path)))
        return Session(self, self.history(), start)

    @property
    def topics(self) -> list[str]:
        """What news can be about."""
        return list(TOPICS)

    def replay_file(self, path: Path) -> tuple[Session, list[str]]:
        """A viewer's replay of an uploaded JSON Lines file, and what was wrong with which of its lines.

        Raises:
            SteerError: the file holds no usable line.
        """
        feed = FeedFile(path)
        with path.open("ab") as stream:
            stream.write(b"\n")  # a last line without its end counts too
        items = sorted(feed.poll(), key=lambda item: item.time)
        if not items:
            reasons = "; ".join(feed.rejected[:3]) or "it is empty"
            raise SteerError(
                f"no usable headline in {path.name}: {reasons}. Each line must be a JSON object such as "
                '{"time": "2025-03-03T09:00:00Z", "company": "Corvane", "headline": "..."}'
            )
        return Session(self, items, items[0].time), feed.rejected

    def read(self, company: str, headline: str) -> Label:
        """Label one typed headline.

        Raises:
            SteerError: it is empty, too long, or not text.
        """
        visible = typed_text(headline, most=MAX_HEADLINE, what="a headline")
        item = Item(time=datetime.now().astimezone(), company=company or "-", headline=visible)
        return self.labels([item])[0]

    def labels(self, items: Sequence[Item]) -> list[Label]:
        """Topic and sentiment of each item."""
        texts = [self.newsroom.text(item.company, item.headline) for item in items]
        with self._one_at_a_time:
            new = [text for text in dict.fromkeys(texts) if text not in self._labels]
            if new:
                if len(self._labels) > _REMEMBERED:
                    self._labels.clear()
                    new = list(dict.fromkeys(texts))
                probs = self.policy.logits({"text": tuple(new)}).exp().numpy()
                joint = probs.reshape(-1, len(TOPICS), len(SENTIMENTS))
                self._labels.update(zip(new, map(_label, joint), strict=True))
            return [self._labels[text] for text in texts]

    def vectors(self, items: Sequence[Item]) -> np.ndarray:
        """Unit-length embeddings of the headlines, float32 of shape (items, width)."""
        headlines = [item.headline for item in items]
        with self._one_at_a_time:
            return self._encoder.embed(headlines)


def open_service(run: Run) -> FinanceService:
    """The service of the monitor that `run` holds.

    Raises:
        SteerError: it holds none.
    """
    return FinanceService(open_task(FinanceMonitor, run), run)


def _label(joint: np.ndarray) -> Label:
    topic, sentiment = np.unravel_index(joint.argmax(), joint.shape)
    negative, neutral, positive = joint.sum(axis=0).tolist()
    return Label(TOPICS[topic], SENTIMENTS[sentiment], (negative, neutral, positive), float(joint.sum(axis=1)[topic]))
