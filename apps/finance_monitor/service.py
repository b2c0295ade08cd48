"""What the page, the API and the backtest ask of the finance monitor."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from apps.finance_monitor.data import TOPICS, UNNAMED, Company
from apps.finance_monitor.engine import FinanceEngine
from apps.finance_monitor.feed import Feed, FeedFile, Item
from apps.finance_monitor.monitor import Label, Monitor
from apps.finance_monitor.redis_feed import RedisFeed
from apps.finance_monitor.task import FinanceMonitor
from core.platform.inference.engine import Engine
from core.platform.queues.connection import is_address
from core.training.loader import open_task
from core.training.run import Run
from core.training.task import Task
from core.util.errors import SteerError
from core.util.lru_cache import LRUCache
from core.util.text_input import check_text

MAX_HEADLINE = 500
FEED_VARIABLE = "STEER_FINANCE_FEED"
_REMEMBERED = 5_000
# A user with a thousand headlines lets others in after so many.
_TEXTS_PER_REQUEST = 32

Result = TypeVar("Result")


class Session:
    """One viewer's clock over a source of news; nothing of it is shared with another viewer.

    Args:
        service: labels the news.
        items: the news to replay, in order of time; empty when a feed is followed.
        start: where the clock begins; earlier news is taken in at once, as the past that a usual rate needs.
        feed: followed instead of replayed when given.
    """

    def __init__(
        self, service: "FinanceService", items: Sequence[Item], start: datetime, feed: Feed | None = None
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
    """Labels headlines and remembers the labels, which depend on nothing but the text.

    Args:
        task: with the settings that the policy was trained with.
        engine: that computes, see `apps.finance_monitor.engine`.
    """

    def __init__(self, task: Task, engine: Engine[FinanceEngine]) -> None:
        assert isinstance(task, FinanceMonitor)
        self.newsroom, self.engine = task.newsroom, engine
        self._known: LRUCache[str, Label] = LRUCache(_REMEMBERED)

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
        """A viewer's replay of the shipped news, or of the feed that `STEER_FINANCE_FEED` names, followed live.

        A feed is a file, or a stream in Redis: redis://HOST:PORT/NUMBER/NAME.
        """
        source = os.environ.get(FEED_VARIABLE)
        if source:
            return Session(self, [], start, RedisFeed(source) if is_address(source) else FeedFile(Path(source)))
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
        return self.read_all([(company, headline)])[0]

    def read_all(self, lines: Sequence[tuple[str, str]]) -> list[Label]:
        """Label typed headlines, each with the company that it is about (or an empty text).

        Raises:
            SteerError: one is empty, too long, or not text.
        """
        now = datetime.now().astimezone()
        return self.labels(
            [
                Item(
                    time=now,
                    company=company or UNNAMED,
                    headline=check_text(text, max_length=MAX_HEADLINE, what="a headline"),
                )
                for company, text in lines
            ]
        )

    def labels(self, items: Sequence[Item]) -> list[Label]:
        """Topic and sentiment of each item."""
        texts = [self.newsroom.text(item.company, item.headline) for item in items]
        return self._known.get(texts, lambda new: chain.from_iterable(self._asked(FinanceEngine.labels, new)))

    def vectors(self, items: Sequence[Item]) -> np.ndarray:
        """Unit-length embeddings of the headlines, float32 of shape (items, width)."""
        return np.concatenate(list(self._asked(FinanceEngine.vectors, [item.headline for item in items])))

    def _asked(
        self, method: Callable[[FinanceEngine, list[list[str]]], Sequence[Result]], texts: Sequence[str]
    ) -> Iterator[Result]:
        return (self.engine.ask(method, portion) for portion in _portions(texts))


def open_service(run: Run, engine: Engine[FinanceEngine]) -> FinanceService:
    """The service of the monitor that `run` holds.

    Raises:
        SteerError: it holds none.
    """
    return FinanceService(open_task(FinanceMonitor, run), engine)


def _portions(texts: Sequence[str]) -> Iterator[list[str]]:
    return (list(texts[at : at + _TEXTS_PER_REQUEST]) for at in range(0, max(1, len(texts)), _TEXTS_PER_REQUEST))
