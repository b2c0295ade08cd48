"""What a monitor knows: labelled news in the order of their arrival, folded into stories, and the surges among them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from apps.finance_monitor.alerts import THRESHOLD, Alert, SurgeDetector
from apps.finance_monitor.clock import Clock
from apps.finance_monitor.data import SENTIMENTS, Sentiment, Topic
from apps.finance_monitor.engine import Label
from apps.finance_monitor.stories import SAME_STORY, StoryFolder
from apps.finance_monitor.tables import News


@dataclass(frozen=True, slots=True)
class _Story:
    """A headline that began a story, or repeated one."""

    time: datetime
    company: str
    topic: Topic
    sentiment: Sentiment
    is_new: bool

    @property
    def is_bad(self) -> bool:
        return self.is_new and self.sentiment == "negative"


@dataclass(frozen=True)
class Watch:
    """A company's line on the watchlist.

    Attributes:
        company: Id of the company.
        volume: Headlines of the last week.
        negative: Share of bad news among its new stories of that week.
        days: Bad stories on each of the last 14 days, oldest first.
        alerted: Whether an alert is open or acknowledged.
    """

    company: str
    volume: int
    negative: float
    days: tuple[int, ...]
    alerted: bool


class Monitor:
    """Takes in labelled news; its clock is the only present that it knows.

    Args:
        threshold: Threshold of the surge detector.
        same_story: Cosine from which headlines are one story.
    """

    def __init__(self, threshold: float = THRESHOLD, same_story: float = SAME_STORY) -> None:
        self.clock = Clock()
        self.copies: set[int] = set()
        self._stories: list[_Story] = []
        self._detector = SurgeDetector(threshold)
        self._folder = StoryFolder(same_story)

    def __len__(self) -> int:
        return len(self._stories)

    @property
    def alerts(self) -> list[Alert]:
        """Every alert so far, oldest first."""
        return self._detector.alerts

    def take(self, news: Sequence[News], labels: Sequence[Label], vectors: Sequence[np.ndarray]) -> None:
        """Take in news.

        Args:
            news: Items in the order of their arrival.
            labels: Label of each.
            vectors: Unit-length embedding of each, float32 of shape (width,).
        """
        for item, label, vector in zip(news, labels, vectors, strict=True):
            _, is_new = self._folder.fold(item.company, item.time, vector)
            self._stories.append(_Story(item.time, item.company, label.topic, label.sentiment, is_new))
            self.clock.reach(item.time)
            if is_new:
                self._detector.observe(item.company, item.time, item.headline, label.probabilities["negative"])
            else:
                self.copies.add(item.id)

    def pass_time(self, now: datetime) -> None:
        """Let the clock run though nothing was published."""
        self.clock.reach(now)
        self._detector.pass_time(now)

    def watchlist(self, companies: Sequence[str]) -> list[Watch]:
        """A line for each of these companies and each that was in the news, those with alerts and bad news first."""
        now = self.clock.now
        if now is None:
            return []
        recent = [story for story in self._stories if now - story.time <= timedelta(days=14)]
        week = [story for story in recent if now - story.time <= timedelta(days=7)]
        volume = Counter(story.company for story in week)
        stories = Counter(story.company for story in week if story.is_new)
        bad = Counter(story.company for story in week if story.is_bad)
        days = Counter((story.company, (now - story.time).days) for story in recent if story.is_bad)
        alerted = {alert.company for alert in self.alerts if alert.state != "resolved"}
        lines = [
            Watch(
                company,
                volume[company],
                bad[company] / max(stories[company], 1),
                tuple(days[company, age] for age in range(13, -1, -1)),
                company in alerted,
            )
            for company in sorted({*companies, *(story.company for story in self._stories)})
        ]
        return sorted(lines, key=lambda line: (not line.alerted, -bad[line.company], -line.volume))

    def daily(self, company: str | None, topic: str | None, days: int) -> dict[Sentiment, list[int]]:
        """New stories of each sentiment on each of the last `days` days, oldest first."""
        counts = {sentiment: [0] * days for sentiment in SENTIMENTS}
        for story in self._stories:
            assert self.clock.now is not None  # it has reached every story
            age = (self.clock.now.date() - story.time.date()).days
            wanted = company in (None, story.company) and topic in (None, story.topic)
            if story.is_new and wanted and 0 <= age < days:
                counts[story.sentiment][days - 1 - age] += 1
        return counts
