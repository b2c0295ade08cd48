"""What a monitor knows: news as they were read, folded into stories, and the surges among them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush

from apps.finance_monitor.alerting.course import CONTEXT, Baseline
from apps.finance_monitor.alerting.rule import Rule
from apps.finance_monitor.alerts import Alert, SurgeDetector
from apps.finance_monitor.clock import Clock, is_ahead
from apps.finance_monitor.data import SENTIMENTS, Sentiment

_MOST_WATCHED = 500


@dataclass(frozen=True, slots=True)
class Reading:
    """An item of news as it was read when it came: what a monitor counts.

    Attributes:
        number: Number of the item.
        key: Key of the item.
        time: When it was published.
        arrived: When it came.
        company: Id of the company; empty where none of the watchlist is named, and no alert can come of it.
        headline: Headline.
        topic: Topic that it was labelled with.
        sentiment: Sentiment that it was labelled with.
        negative: Probability that it is bad news.
        is_copy: Whether a like headline was there already that had been published before it.
        copies: Numbers of the items that were there already and have turned out to be copies of it.
        copy_of: Number of the item that tells the same story and was published before, whenever it came; 0 for none.
    """

    number: int
    key: str
    time: datetime
    arrived: datetime
    company: str
    headline: str
    topic: str
    sentiment: Sentiment
    negative: float
    is_copy: bool = False
    copies: tuple[int, ...] = ()
    copy_of: int = 0


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
    """Takes in news in the order of their arrival; its clock is the only present that it knows.

    Args:
        clock: Clock of this monitor.
        rule: Rule by which alerts are opened; None for the learnt one.
    """

    def __init__(self, clock: Clock, rule: Rule | None = None) -> None:
        self.clock = clock
        self.copies: set[int] = set()
        self._counted: dict[int, Reading] = {}
        self._ahead: list[tuple[datetime, int, Reading]] = []
        self._baselines: dict[str, Baseline] = {}
        self._detector = SurgeDetector(rule)

    def __len__(self) -> int:
        return len(self._counted)

    @property
    def alerts(self) -> list[Alert]:
        """Every alert so far, oldest first."""
        return self._detector.alerts

    def begin(self, baselines: Mapping[str, Baseline], *, is_start: bool) -> None:
        """Let companies begin at a baseline, and forget what lies too far before it; see `SurgeDetector.begin`."""
        # What has become due since counts behind whatever came before it, and that may not have been read yet.
        self._take_due(max(base.moment for base in baselines.values()))
        self._baselines |= baselines
        for company, base in baselines.items():
            self._detector.begin(company, base, is_start=is_start)
        past = [item for item in self._counted.values() if self._is_past(item, CONTEXT)]
        for item in past:
            del self._counted[item.number]
        self.copies.difference_update(item.number for item in past)

    def resume(self, alerts: Iterable[Alert]) -> list[Alert]:
        """Go on behind what was known at the start; the alerts that are known again, see `SurgeDetector.resume`."""
        known = [alert for alert in alerts if alert.company in self._baselines]
        self._detector.resume(known)
        return known

    def take(self, news: Sequence[Reading]) -> None:
        """Take in news; what is ahead of the moment of its arrival waits until its time has come."""
        for item in news:
            self._take_due(item.arrived)
            self.copies.update(item.copies)
            # The original of an item from before the baseline may be gone, and has no other chance to say so.
            if item.is_copy or (item.copy_of and self._is_past(item)):
                self.copies.add(item.number)
            if is_ahead(item.time, item.arrived):
                heappush(self._ahead, (item.time, item.number, item))
            else:
                self._count(item, item.arrived)
        self._resolve()

    def let_run(self) -> None:
        """Count what has become due, and resolve what has gone quiet by now."""
        self._take_due(self.clock.present())
        self._resolve()

    def watchlist(self, companies: Sequence[str]) -> list[Watch]:
        """A line for each of these companies, those with alerts and bad news first.

        Others that were in the news are among the first `_MOST_WATCHED` lines, or not there.
        """
        now = self.clock.now
        if now is None:
            return []
        recent = [item for item in self._counted.values() if now - item.time <= timedelta(days=14)]
        week = [item for item in recent if now - item.time <= timedelta(days=7)]
        volume = Counter(item.company for item in week)
        stories = Counter(item.company for item in week if self._is_new(item))
        bad = Counter(item.company for item in week if self._is_bad(item))
        days = Counter((item.company, (now - item.time).days) for item in recent if self._is_bad(item))
        alerted = {alert.company for alert in self.alerts if alert.state != "resolved"}
        others = {item.company for item in self._counted.values() if item.company} - set(companies)
        found = sorted({*companies, *others}, key=lambda name: (name not in alerted, -bad[name], -volume[name], name))
        left_out = {name for name in found if name in others} - set(found[:_MOST_WATCHED])
        return [
            Watch(
                name,
                volume[name],
                bad[name] / max(stories[name], 1),
                tuple(days[name, age] for age in range(13, -1, -1)),
                name in alerted,
            )
            for name in found
            if name not in left_out
        ]

    def daily(self, company: str | None, topic: str | None, days: int) -> dict[Sentiment, list[int]]:
        """New stories of each sentiment on each of the last `days` days, oldest first."""
        counts = {sentiment: [0] * days for sentiment in SENTIMENTS}
        for item in self._counted.values():
            assert self.clock.now is not None  # it has reached every item that counts
            age = (self.clock.now.date() - item.time.date()).days
            wanted = company in (None, item.company) and topic in (None, item.topic)
            if self._is_new(item) and wanted and 0 <= age < days:
                counts[item.sentiment][days - 1 - age] += 1
        return counts

    def _resolve(self) -> None:
        if self.clock.now is not None:
            self._detector.pass_time(self.clock.now)

    def _take_due(self, present: datetime) -> None:
        while self._ahead and not is_ahead(self._ahead[0][0], present):
            item = heappop(self._ahead)[-1]
            self._count(item, item.time)

    def _count(self, item: Reading, arrived: datetime) -> None:
        """Count an item, and no longer those that have turned out to be copies of it."""
        self._counted[item.number] = item
        self.clock.hear(item.time, arrived)
        for number in item.copies:
            # News about no company were never watched.
            if (copy := self._counted.get(number)) is not None and copy.company:
                self._detector.withdraw(copy.company, copy.time, copy.key)
        if item.company and self._is_new(item):
            self._detector.observe(item.company, item.time, item.headline, item.negative, item.key, item.topic)

    def _is_past(self, item: Reading, span: timedelta = timedelta(0)) -> bool:
        base = self._baselines.get(item.company)
        return base is not None and item.time < base.moment - span

    def _is_new(self, item: Reading) -> bool:
        return item.number not in self.copies

    def _is_bad(self, item: Reading) -> bool:
        return self._is_new(item) and item.sentiment == "negative"
