"""Streams of one company's stories, in most of which something is planted: to learn when to alert, and to judge it.

The usual traffic is that of the labelled news, moved by whole weeks, of one company or of several that are read as one
larger one. What is planted has the headlines of the split's own surges and decoys, or is put together from news of
other companies. Every headline is read as the labeller reads it, and copies are folded, before anything is decided.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

import numpy as np

from apps.finance_monitor.alerting.course import BAD, Story
from apps.finance_monitor.data import News, NewsData, Sentiment, Split
from apps.finance_monitor.stories import Embed, StoryFolder

Surge = Literal["sharp", "slow", "sector"]
Decoy = Literal["repeated", "volume", "rumour"]
Kind = Literal["usual"] | Surge | Decoy
SURGES: tuple[Surge, ...] = get_args(Surge)
DECOYS: tuple[Decoy, ...] = get_args(Decoy)
# Two surges for three decoys and one quiet stretch: more than in life, where most of what is seen is no surge either.
_SHARES: dict[Kind, float] = {
    "usual": 0.15,
    **dict.fromkeys(SURGES, 0.4 / len(SURGES)),
    **dict.fromkeys(DECOYS, 0.45 / len(DECOYS)),
}
_WEEK = timedelta(weeks=1)
_WEEKS, _PAST = 4, timedelta(weeks=2)
# A surge is told in time until so long after its last headline.
SLACK = timedelta(hours=6)
_LARGEST = (1, 2, 4, 8)
_OUTLETS = ("UPDATE 1-{}", "{} - report", "BRIEF-{}", "UPDATE 2-{}", "WRAPUP 1-{}", "{}, agency says", "Exclusive: {}")


@dataclass(frozen=True)
class Reading:
    """A headline as the labeller reads it.

    Attributes:
        topic: Topic.
        negative: Probability that it is bad news.
    """

    topic: str
    negative: float


@dataclass(frozen=True)
class Stream:
    """Stories of a company in order of time, copies folded.

    Attributes:
        kind: Kind of surge that is planted.
        stories: The stories.
        live: Moment from which there is something to decide; what is before makes the usual rate.
        surge: Begin and end of the planted surge, if one is.
    """

    kind: Kind
    stories: list[Story]
    live: datetime
    surge: tuple[datetime, datetime] | None

    @property
    def since(self) -> datetime:
        """Moment of the first story."""
        return self.stories[0].time


@dataclass(frozen=True)
class Traffic:
    """Usual news by company, each company's in order of time, over a span of whole weeks from `begin` on."""

    begin: datetime
    weeks: int
    by_company: Mapping[str, Sequence[News]]


# Maps news to how they are read; called with a source of chance for each stream.
Read = Callable[[Sequence[News], np.random.Generator], list[Reading]]


class Planting:
    """Makes streams.

    Args:
        traffic: Usual news.
        source: Labelled news with surges and decoys, whose headlines are planted.
        split: Split of the source that is planted from.
        read: Labeller.
        embed: Function that returns a unit-length vector for each headline, to fold copies by.
        largest: Numbers of companies that may be read as one.
    """

    def __init__(
        self,
        traffic: Traffic,
        source: NewsData,
        split: Split,
        read: Read,
        embed: Embed,
        *,
        largest: Sequence[int] = _LARGEST,
    ) -> None:
        self.traffic, self.source, self.read, self.embed, self.largest = traffic, source, read, embed, largest
        self.episodes: defaultdict[str, list[list[News]]] = defaultdict(list)
        for episode in source.episodes:
            if episode.split == split:
                told = [item for item in source.news if item.episode == episode.id]
                self.episodes[episode.kind].append(told)
        self.by_sentiment: defaultdict[Sentiment, list[News]] = defaultdict(list)
        for item in source.of(split):
            if item.episode is None:
                self.by_sentiment[item.sentiment].append(item)

    def streams(self, count: int, seed: int) -> list[Stream]:
        """So many streams; equal seeds make equal ones."""
        made: list[Stream] = []
        number = 0
        while len(made) < count:
            stream = self.stream(np.random.default_rng([seed, number]))
            if any(story.negative >= BAD and story.time >= stream.live for story in stream.stories):
                made.append(stream)  # of others there is nothing to decide
            number += 1
        return made

    def stream(self, chance: np.random.Generator) -> Stream:
        """A random stream."""
        kind = list(_SHARES)[chance.choice(len(_SHARES), p=list(_SHARES.values()))]
        company = str(chance.choice(list(self.traffic.by_company)))
        live = self.traffic.begin + _PAST
        start = live + (_WEEKS * _WEEK - _PAST - timedelta(days=5)) * chance.random()
        planted = [] if kind == "usual" else self._planted(kind, chance)
        usual = self._usual(company, chance)
        end = start + timedelta(days=5)
        items = sorted(
            [(time, item, f"u{at}") for at, (time, item) in enumerate(usual) if time <= end]
            + [(start + timedelta(hours=hours), item, f"p{at}") for at, (hours, item) in enumerate(planted)],
            key=lambda each: (each[0], each[2]),
        )
        readings = self.read([item for _, item, _ in items], chance)
        folder, stories = StoryFolder(self.embed), []
        for number, ((time, item, key), reading) in enumerate(zip(items, readings, strict=True)):
            earlier, _ = folder.fold(number, company, time, key, item.headline)
            if not earlier:
                headline = self._about(item, company)
                stories.append(Story(time, headline, reading.negative, key, reading.topic))
        surge = None
        if kind in SURGES:
            surge = (start, start + timedelta(hours=max(hours for hours, _ in planted)) + SLACK)
        return Stream(kind, stories, live, surge)

    # Helpers

    def _usual(self, company: str, chance: np.random.Generator) -> list[tuple[datetime, News]]:
        others = [name for name in self.traffic.by_company if name != company]
        more = chance.choice(others, min(int(chance.choice(self.largest)) - 1, len(others)), replace=False)
        span, found = self.traffic.weeks * _WEEK, []
        for name in (company, *map(str, more)):
            shift = int(chance.integers(self.traffic.weeks)) * _WEEK
            for item in self.traffic.by_company[name]:
                time = self.traffic.begin + (item.time - self.traffic.begin + shift) % span
                if time < self.traffic.begin + _WEEKS * _WEEK:
                    found.append((time, item))
        return found

    def _about(self, item: News, company: str) -> str:
        """A headline as if it were about another company, whose name each of its headlines has."""
        headline, known = item.headline, self.source.companies.get(item.company)
        if known is not None and item.company != company:
            for name in sorted((known.name, *known.aliases), key=len, reverse=True):
                headline = headline.replace(name, self.source.name(company))
        return headline

    def _planted(self, kind: Kind, chance: np.random.Generator) -> list[tuple[float, News]]:
        """Hours from the start on and news of what is planted."""
        items, hours = getattr(self, f"_{kind}")(chance)
        hours = np.sort(hours) - np.min(hours)
        return list(zip(hours.tolist(), items, strict=True))

    def _sharp(self, chance: np.random.Generator) -> tuple[list[News], np.ndarray]:
        count = int(chance.integers(8, 21))
        return self._bad(count, chance), chance.exponential(chance.uniform(2, 8), count).clip(0, 36)

    def _slow(self, chance: np.random.Generator) -> tuple[list[News], np.ndarray]:
        count = int(chance.integers(8, 17))
        return self._bad(count, chance), chance.uniform(0, chance.uniform(36, 84), count)

    def _sector(self, chance: np.random.Generator) -> tuple[list[News], np.ndarray]:
        """A whole sector's bad day: few stories of each company, of markets and operations."""
        count = int(chance.integers(5, 10))
        topics = [item for item in self.by_sentiment["negative"] if item.topic in ("markets", "operations", "earnings")]
        return _some(topics, count, chance), chance.uniform(0, chance.uniform(12, 36), count)

    def _bad(self, count: int, chance: np.random.Generator) -> list[News]:
        """Headlines of a surge: a part of one of the split's own, or bad news of a few topics."""
        if chance.random() < 0.5:
            own = self.episodes["surge"][chance.integers(len(self.episodes["surge"]))]
            again = max(count - len(own), 0)
            return _some(own, count - again, chance, in_order=True) + _some(own, again, chance)
        topics = chance.choice(sorted({item.topic for item in self.by_sentiment["negative"]}), 3, replace=False)
        bad = [item for item in self.by_sentiment["negative"] if item.topic in topics]
        calm = int(chance.binomial(count, 0.15))
        items = _some(bad, count - calm, chance) + _some(self.by_sentiment["neutral"], calm, chance)
        return [items[at] for at in chance.permutation(count)]

    def _repeated(self, chance: np.random.Generator) -> tuple[list[News], np.ndarray]:
        """One story that many outlets copy, each in words a little of its own."""
        count = int(chance.integers(6, 17))
        if chance.random() < 0.5 and (copied := self.episodes["syndication"]):
            own = copied[chance.integers(len(copied))]
            items = _some(own, min(count, len(own)), chance, in_order=True)
        else:
            first = self.by_sentiment["negative"][chance.integers(len(self.by_sentiment["negative"]))]
            items = [first, *(_reworded(first, at, chance) for at in range(count - 1))]
        return items, chance.exponential(chance.uniform(1, 5), len(items)).clip(0, 30)

    def _volume(self, chance: np.random.Generator) -> tuple[list[News], np.ndarray]:
        """Much news, none of it bad: an investor day, a launch; or harmless news in scary words."""
        count = int(chance.integers(8, 21))
        decoys = self.episodes["neutral_volume"] + self.episodes["scary_words"]
        if chance.random() < 0.5 and decoys:
            own = decoys[chance.integers(len(decoys))]
            items = _some(own, min(count, len(own)), chance, in_order=True)
        else:
            items = _some(self._calm(), count, chance)
        return items, chance.uniform(0, chance.uniform(8, 36), len(items))

    def _calm(self) -> list[News]:
        return self.by_sentiment["neutral"] + self.by_sentiment["positive"]

    def _rumour(self, chance: np.random.Generator) -> tuple[list[News], np.ndarray]:
        """Some bad stories within hours, then more that deny them."""
        told, denied = int(chance.integers(2, 5)), int(chance.integers(3, 7))
        topic = chance.choice(sorted({item.topic for item in self.by_sentiment["negative"]}))
        bad = [item for item in self.by_sentiment["negative"] if item.topic == topic]
        calm = [item for item in self._calm() if item.topic == topic]
        hours = np.concatenate([chance.uniform(0, 3, told), 3 + chance.exponential(4, denied).clip(0, 24)])
        return _some(bad, told, chance) + _some(calm, denied, chance), hours


def traffic_of(data: NewsData, split: Split) -> Traffic:
    """The usual news of a split: what belongs to no surge and no decoy."""
    news = data.of(split)
    begin = news[0].time.replace(hour=0, minute=0, second=0, microsecond=0)
    weeks = max((news[-1].time - begin) // _WEEK, _WEEKS)
    by_company: defaultdict[str, list[News]] = defaultdict(list)
    for item in news:
        if item.episode is None and item.time < begin + weeks * _WEEK:
            by_company[item.company].append(item)
    return Traffic(begin, weeks, dict(by_company))


def _some(items: Sequence[News], count: int, chance: np.random.Generator, *, in_order: bool = False) -> list[News]:
    at = chance.choice(len(items), count, replace=count > len(items))
    return [items[number] for number in (np.sort(at) if in_order else at)]


def _reworded(item: News, number: int, chance: np.random.Generator) -> News:
    words = item.headline.split()
    if len(words) > 4 and chance.random() < 0.5:
        cut = int(chance.integers(1, len(words) - 1))
        words = [*words[cut:], *words[:cut]]
    if len(words) > 5 and chance.random() < 0.7:
        del words[int(chance.integers(len(words)))]
    headline = _OUTLETS[int(chance.integers(len(_OUTLETS)))].format(" ".join(words))
    return item.model_copy(update={"headline": headline, "id": f"{item.id}~{number}"})
