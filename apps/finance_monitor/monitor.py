"""One viewer's monitor: labelled news up to a moment, trends, and alerts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from apps.finance_monitor.alerts import THRESHOLD, Alert, SurgeDetector
from apps.finance_monitor.data import NEGATIVE, SENTIMENTS
from apps.finance_monitor.feed import Item
from apps.finance_monitor.stories import SAME_STORY, StoryFolder


@dataclass(frozen=True)
class Label:
    """What the policy makes of a headline.

    Attributes:
        topic, sentiment: the decision.
        sentiments: probability of each of `SENTIMENTS`.
        topic_share: probability of the topic.
    """

    topic: str
    sentiment: str
    sentiments: tuple[float, float, float]
    topic_share: float


@dataclass(frozen=True)
class Seen:
    """A labelled headline, and the story that it belongs to."""

    item: Item
    label: Label
    story: int
    is_new: bool


@dataclass(frozen=True)
class Watch:
    """A company's line on the watchlist.

    Attributes:
        company: id.
        volume: headlines of the last week.
        negative: share of bad news among its new stories.
        days: bad stories on each of the last 14 days, oldest first.
        alerted: whether an alert is open or acknowledged.
    """

    company: str
    volume: int
    negative: float
    days: tuple[int, ...]
    alerted: bool


class Monitor:
    """Takes in labelled news in order of time.

    Args:
        threshold: of the surge detector.
        same_story: cosine from which headlines are one story.
    """

    def __init__(self, threshold: float = THRESHOLD, same_story: float = SAME_STORY) -> None:
        self.seen: list[Seen] = []
        self.detector = SurgeDetector(threshold)
        self._folder = StoryFolder(same_story)

    @property
    def alerts(self) -> list[Alert]:
        """Every alert so far, oldest first."""
        return self.detector.alerts

    def take(self, items: Sequence[Item], labels: Sequence[Label], vectors: np.ndarray) -> list[Alert]:
        """Take in news.

        Args:
            items: in order of time.
            labels: one for each.
            vectors: unit-length embeddings, float32 of shape (items, width).

        Returns:
            Alerts that they opened.
        """
        opened = []
        for item, label, vector in zip(items, labels, vectors, strict=True):
            story, is_new = self._folder.fold(item.company, item.time, vector)
            self.seen.append(Seen(item, label, story, is_new))
            if is_new:
                negative = label.sentiments[NEGATIVE]
                alert = self.detector.observe(item.company, item.time, item.headline, negative)
                opened += [alert] if alert else []
        return opened

    def pass_time(self, now: datetime) -> None:
        """Let the clock run though nothing was published."""
        self.detector.pass_time(now)

    def watchlist(self, companies: Sequence[str], now: datetime) -> list[Watch]:
        """A line for each company, those with alerts and bad news first."""
        recent = [seen for seen in self.seen if now - seen.item.time <= timedelta(days=14)]
        week = [seen for seen in recent if now - seen.item.time <= timedelta(days=7)]
        volume = Counter(seen.item.company for seen in week)
        stories = Counter(seen.item.company for seen in week if seen.is_new)
        bad = Counter(seen.item.company for seen in week if _is_bad_story(seen))
        days = Counter((seen.item.company, (now - seen.item.time).days) for seen in recent if _is_bad_story(seen))
        alerted = {alert.company for alert in self.alerts if alert.state != "resolved"}
        lines = [
            Watch(
                company,
                volume[company],
                bad[company] / max(stories[company], 1),
                tuple(days[company, age] for age in range(13, -1, -1)),
                company in alerted,
            )
            for company in companies
        ]
        return sorted(lines, key=lambda line: (not line.alerted, -bad[line.company], -line.volume))

    def daily(self, company: str | None, topic: str | None, now: datetime, days: int = 28) -> dict[str, list[int]]:
        """New stories of each sentiment on each of the last `days` days, oldest first."""
        counts = {sentiment: [0] * days for sentiment in SENTIMENTS}
        for seen in self.seen:
            age = (now.date() - seen.item.time.date()).days
            wanted = company in (None, seen.item.company) and topic in (None, seen.label.topic)
            if seen.is_new and wanted and 0 <= age < days:
                counts[seen.label.sentiment][days - 1 - age] += 1
        return counts


def _is_bad_story(seen: Seen) -> bool:
    return seen.is_new and seen.label.sentiment == SENTIMENTS[NEGATIVE]
