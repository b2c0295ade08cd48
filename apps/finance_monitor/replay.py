"""History that passes again: a monitor of one's own over a scratch store, to which a clock pushes the items."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from apps.finance_monitor.alerting.rule import Rule
from apps.finance_monitor.data import NewsData
from apps.finance_monitor.feed import FeedFile, Item
from apps.finance_monitor.model import NewsModel
from apps.finance_monitor.service import MonitorService
from apps.finance_monitor.watcher import CurrentModel
from core.platform.store.database import open_store, sqlite_url
from core.rl.explore import Explorer
from core.util.errors import SteerError

_MOST = 16
_AT_ONCE = 64
_IDLE_SECONDS = 15 * 60
# What a usual rate is made of stands before a replay's first day.
_PAST = timedelta(days=14)
# What a visitor may upload: all of it is in memory, and each company is a line of the watchlist.
_MOST_BYTES, _MOST_COMPANIES = 10_000_000, 1_000


@dataclass(frozen=True)
class PinnedModel:
    """One model and the name of its version, whatever is promoted meanwhile."""

    current: tuple[NewsModel, str]


class Replay:
    """Some items, pushed as its clock passes their times.

    Attributes:
        is_running: Whether its visitor lets the clock run.
        is_left: Whether its visitor has gone on to something else.
        is_closed: Whether its scratch store is gone.

    Args:
        live: Model of the version that labels them.
        items: Items, in any order.
        start: Moment at which the clock begins; earlier items are the past that a usual rate needs, and come first.
        rule: Rule by which alerts are opened; None for the learnt one.
    """

    def __init__(self, live: CurrentModel, items: Sequence[Item], start: datetime, *, rule: Rule | None = None) -> None:
        self._left = sorted(items, key=lambda item: item.time)[::-1]
        self._folder = TemporaryDirectory(prefix="steer-replay-", ignore_cleanup_errors=True)
        self._store = open_store(sqlite_url(Path(self._folder.name) / "replay.db"))
        self.now, self.used = start, time.monotonic()
        self.service = MonitorService(self._store, live, Explorer(), rule=rule, is_live=False, present=lambda: self.now)
        self._lock = threading.Lock()
        self.is_running, self.is_left, self.is_closed = True, False, False

    @property
    def is_finished(self) -> bool:
        """Whether everything has been pushed."""
        return not self._left

    @property
    def is_behind(self) -> bool:
        """Whether items are due that have not been pushed yet."""
        return bool(self._left) and self._left[-1].time <= self.now

    def advance(self, span: timedelta) -> None:
        """Let the clock run by so much; it stands while more is due than is pushed at once."""
        with self._lock:
            if self.is_closed:
                return
            self.used = time.monotonic()
            due = self._due(_AT_ONCE)
            if not self.is_behind:
                self.now += span
                due += self._due(_AT_ONCE - len(due))
            if due:
                self.service.push(due)
            if not self.is_behind:
                self.service.pass_time(self.now)

    def close(self) -> None:
        """Delete the scratch store."""
        with self._lock:
            self.is_closed = True
            self._store.close()
            self._folder.cleanup()

    def _due(self, limit: int) -> list[Item]:
        due: list[Item] = []
        while self.is_behind and len(due) < limit:
            due.append(self._left.pop())
        return due


class Replays:
    """The replays of a server's visitors: a limited number, each closed when it is left or idle.

    Args:
        service: Monitor beside which they run; its model labels them, and its store knows nothing of them.
    """

    def __init__(self, service: MonitorService) -> None:
        self._live = service.live
        self._open: list[Replay] = []
        self._lock = threading.Lock()

    @property
    def days(self) -> tuple[datetime, datetime]:
        """The first and the last day on which a replay of the labelled news may begin."""
        news = self._live.current[0].news.news
        first, last = (_day(item.time) for item in (news[0], news[-1]))
        return min(first + _PAST, last), last

    def start_history(self, start: datetime, *, after: Replay | None = None) -> Replay:
        """A replay of the labelled news, after which the visitor leaves another.

        Raises:
            SteerError: There are too many replays.
        """
        return self._start(history(self._live.current[0].news), start, after)

    def start_upload(self, file: Path, *, after: Replay | None = None) -> tuple[Replay, int, list[str]]:
        """A replay of a JSON Lines file from its first item on; how many items it has, and what was wrong with others.

        Raises:
            SteerError: The file holds no usable line, or too much, or there are too many replays.
        """
        if file.stat().st_size > _MOST_BYTES:
            raise SteerError(f"{file.name} is too large: keep it under {_MOST_BYTES // 1_000_000} MB")
        with file.open("ab") as stream:
            stream.write(b"\n")  # a last line without its end counts too
        feed = FeedFile(file, at_once=2 * _MOST_BYTES)
        items = feed.poll()
        feed.close()
        if not items:
            reasons = "; ".join(feed.rejected[:3]) or "it is empty"
            raise SteerError(
                f"no usable headline in {file.name}: {reasons}. Each line must be a JSON object such as "
                '{"time": "2025-03-03T09:00:00Z", "company": "Corvane", "headline": "..."}'
            )
        if (companies := len({item.company for item in items})) > _MOST_COMPANIES:
            raise SteerError(
                f"{file.name} is about {companies:,} companies: keep it under {_MOST_COMPANIES:,}, those of one "
                "index, say"
            )
        return self._start(items, min(item.time for item in items), after), len(items), feed.rejected

    def leave(self, replay: Replay | None) -> None:
        """Close a replay that nobody looks at any more."""
        with self._lock:
            if replay in self._open:
                replay.is_left = True
                self._close(replay)

    def _start(self, items: Sequence[Item], start: datetime, after: Replay | None) -> Replay:
        with self._lock:
            others = [replay for replay in self._open if replay is not after]
            idle = [replay for replay in others if time.monotonic() - replay.used > _IDLE_SECONDS]
            for replay in idle:
                self._close(replay)
            if len(others) - len(idle) >= _MOST:
                raise SteerError(f"{_MOST} visitors replay news already; please try again in some minutes.")
            self._open.append(replay := Replay(self._live, items, start))
        return replay

    def _close(self, replay: Replay) -> None:
        self._open.remove(replay)
        replay.close()


def history(news: NewsData) -> list[Item]:
    """The labelled news, without their labels."""
    return [Item(key=item.id, time=item.time, company=item.company, headline=item.headline) for item in news.news]


def _day(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
