"""Tells a surge of bad news from the usual trickle, once, early, and with the reason.

For each company, negative stories are taken for a Poisson process. A CUSUM of the log-likelihood ratio of "`RATIO`
times the usual rate" against "the usual rate" (Page 1954; for point processes Lucas 1985) rises with each negative
story and sinks with quiet hours; the usual rate is an exponentially weighted mean of the company's own past. Crossing
`threshold` opens an alert; it is resolved once `QUIET` has passed without another negative story.

**What is promised.** The surges of a company follow from the set of its stories alone: they are put in the order of
their publication (time, then key), whatever the order in which they arrive, and no clock has a say in them but by
resolving. So a story that comes late, by any time, lands in its own hours: it joins a surge, makes one begin earlier or
last longer, or opens a late alert. It never resolves one; one that was resolved too soon opens again.

What was told stays told. Each surge is told once, at the first story that makes it one, and its alert follows it from
then on. Stories that arrive later may unmake a surge (a late copy makes two stories one; late trickle raises what is
usual; a late story joins two surges into one). The alert that told of it then stays as it was, and quiet resolves it.
That is the one trace that an order of arrival leaves, and it is the same for everybody who reads the same stories in
the same order, at once or in portions, today or again tomorrow.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

RATIO = 8.0
THRESHOLD = 7.0
QUIET = timedelta(hours=36)
_MEMORY_HOURS = 28 * 24.0
# Before a company has a past of its own: one negative story a week, believed as much as four weeks of watching.
_PRIOR_STORIES, _PRIOR_HOURS = 4.0, 28 * 24.0
_SEVERE = 1.5

Severity = Literal["raised", "severe"]


@dataclass(frozen=True)
class Cause:
    """A headline that raised the statistic; `key` puts those of one moment in order."""

    time: datetime
    headline: str
    negative: float
    key: str = ""


@dataclass
class _Surge:
    opened: datetime
    usual_rate: float
    causes: list[Cause]
    severity: Severity = "raised"
    alert: "Alert | None" = None

    @property
    def over(self) -> datetime:
        return self.causes[-1].time + QUIET


@dataclass
class Alert:
    """A surge of bad news about one company.

    Attributes:
        number: Number of the alert, from 1 on.
        key: Company and moment under which it was told, which stay as they are.
        company: Id of the company.
        opened: Moment at which the threshold was crossed.
        usual_rate: Negative stories an hour before the surge.
        causes: Headlines behind it, oldest first; grows while the alert is not resolved.
        severity: `severe` when it was far beyond the threshold.
        state: State of the alert; only people acknowledge, only quiet resolves.
        resolved: Moment at which it had been quiet for long enough.
        changed: Number of the company's stories that had come when it last became another one.
    """

    number: int
    key: str
    company: str
    opened: datetime
    usual_rate: float
    causes: list[Cause]
    severity: Severity = "raised"
    state: Literal["open", "acknowledged", "resolved"] = "open"
    resolved: datetime | None = None
    changed: int = 0

    @property
    def hours(self) -> float:
        """Time from the first to the latest cause."""
        return (self.causes[-1].time - self.causes[0].time) / timedelta(hours=1)

    @property
    def usual(self) -> float:
        """Negative stories that the same time usually brings."""
        return self.usual_rate * max(self.hours, 1.0)

    def follow(self, surge: _Surge) -> bool:
        """Tell what is known of the surge by now, except that severity does not sink; whether it is another one."""
        severity: Severity = "severe" if "severe" in (self.severity, surge.severity) else "raised"
        before = (self.opened, self.usual_rate, self.severity, self.causes)
        after = (surge.opened, surge.usual_rate, severity, surge.causes)
        has_grown = surge.alert is self  # both have the one list of causes
        self.opened, self.usual_rate, self.severity, self.causes = after
        surge.alert = self
        return has_grown or before != after

    def settle(self, now: datetime) -> None:
        """Resolve it if it has gone quiet by now; one that late news have kept awake is open again."""
        quiet = self.causes[-1].time + QUIET
        if quiet <= now:
            self.state, self.resolved = "resolved", quiet
        elif self.state == "resolved":
            self.state, self.resolved = "open", None


@dataclass
class _Course:
    """What negative stories, in order of time, amount to."""

    threshold: float
    last: datetime
    stories: float = _PRIOR_STORIES
    hours: float = _PRIOR_HOURS
    statistic: float = 0.0
    causes: list[Cause] = field(default_factory=list)
    surges: list[_Surge] = field(default_factory=list)
    surge: _Surge | None = None

    @property
    def rate(self) -> float:
        return self.stories / self.hours

    def add(self, cause: Cause) -> None:
        self._pass_time(cause.time)
        self.statistic += cause.negative * math.log(RATIO)
        self.causes.append(cause)
        if self.surge is None:
            self.stories += cause.negative
            if self.statistic >= self.threshold:
                self._open(cause.time)
        else:
            self.surge.causes.append(cause)
            if self.statistic >= _SEVERE * self.threshold:
                self.surge.severity = "severe"

    def _pass_time(self, now: datetime) -> None:
        if self.surge is not None and self.surge.over <= now:
            self._sink(self.surge.over)
            self.surge, self.statistic = None, 0.0
            self.causes.clear()
        self._sink(now)

    def _sink(self, now: datetime) -> None:
        hours = (now - self.last) / timedelta(hours=1)
        self.last = now
        if self.surge is None:  # a surge must not become the new normal
            fade = math.exp(-hours / _MEMORY_HOURS)
            self.stories *= fade
            self.hours = self.hours * fade + _MEMORY_HOURS * (1 - fade)
        self.statistic = max(self.statistic - (RATIO - 1) * self.rate * hours, 0.0)
        if self.statistic == 0.0:
            self.causes.clear()

    def _open(self, time: datetime) -> None:
        before = self.rate - sum(cause.negative for cause in self.causes) / self.hours
        self.surge = _Surge(time, max(before, 1 / _MEMORY_HOURS), list(self.causes))
        self.surges.append(self.surge)


@dataclass
class _Watched:
    """A company: its negative stories in order of time, what they amount to, and what was told of that.

    Attributes:
        since: Moment of its first story, negative or not.
        now: Moment of its last one.
        course: What its negative stories amount to.
        stories: Its negative stories, in order.
        told: Alerts by the stories that they told of.
        steps: Number of changes of its stories.
    """

    since: datetime
    now: datetime
    course: _Course
    stories: list[Cause] = field(default_factory=list)
    told: dict[Cause, Alert] = field(default_factory=dict)
    steps: int = 0


class SurgeDetector:
    """Watches every company; stories may come in any order.

    Args:
        threshold: Threshold of the statistic; higher means later and fewer false alarms.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self.threshold = threshold
        self.alerts: list[Alert] = []
        self._watched: dict[str, _Watched] = {}
        self._keys: set[str] = set()
        self._unresolved: dict[str, dict[int, Alert]] = {}
        self._now: datetime | None = None

    def observe(self, company: str, time: datetime, headline: str, negative: float, key: str = "") -> Alert | None:
        """Take in one new story.

        Args:
            company: Id of the company.
            time: Moment of publication.
            headline: Headline, for the reason.
            negative: Probability that it is bad news.
            key: Key that puts stories of one moment in order.

        Returns:
            The alert that it opens, if it does.
        """
        watched = self._watched.get(company)
        if watched is None:
            watched = self._watched[company] = _Watched(time, time, _Course(self.threshold, time))
        watched.steps += 1
        is_first = time < watched.since
        watched.since, watched.now = min(watched.since, time), max(watched.now, time)
        before = len(self.alerts)
        if negative >= 0.5:
            self._add(company, watched, Cause(time, headline, negative, key), is_first=is_first)
        elif is_first:
            self._run_again(company, watched)
        self._settle(company, watched)
        return self.alerts[-1] if len(self.alerts) > before else None

    def withdraw(self, company: str, time: datetime, key: str) -> None:
        """Take back a story that has turned out to be none of its own."""
        watched = self._watched[company]
        watched.steps += 1
        at = bisect_right(watched.stories, (time, key), key=_order) - 1
        if at >= 0 and _order(watched.stories[at]) == (time, key):
            del watched.stories[at]
            self._run_again(company, watched)
            self._settle(company, watched)

    def pass_time(self, now: datetime) -> None:
        """Let the clock run for every company, which resolves alerts that have gone quiet."""
        self._now = now if self._now is None else max(self._now, now)
        for company in list(self._unresolved):
            self._settle(company, self._watched[company])

    # Helpers

    def _add(self, company: str, watched: _Watched, cause: Cause, *, is_first: bool) -> None:
        at = bisect_right(watched.stories, _order(cause), key=_order)
        watched.stories.insert(at, cause)
        if is_first or at + 1 < len(watched.stories):
            self._run_again(company, watched)
            return
        watched.course.add(cause)
        if watched.course.surge is not None:
            self._tell(company, watched, [watched.course.surge])

    def _run_again(self, company: str, watched: _Watched) -> None:
        watched.course = _Course(self.threshold, watched.since)
        for story in watched.stories:
            watched.course.add(story)
        self._tell(company, watched, watched.course.surges)

    def _tell(self, company: str, watched: _Watched, surges: Sequence[_Surge]) -> None:
        """Let each surge have its alert: the first that told of one of its stories, else a new one."""
        taken: set[int] = set()
        for surge in surges:
            alert = surge.alert or self._known(watched, surge, taken) or self._new(company, surge)
            taken.add(alert.number)
            if alert.follow(surge):
                alert.changed = watched.steps
                self._unresolved.setdefault(company, {})[alert.number] = alert
            for cause in surge.causes:
                watched.told.setdefault(cause, alert)

    def _known(self, watched: _Watched, surge: _Surge, taken: set[int]) -> Alert | None:
        known = {alert.number: alert for cause in surge.causes if (alert := watched.told.get(cause))}
        return known.get(min(known.keys() - taken, default=0))

    def _new(self, company: str, surge: _Surge) -> Alert:
        key = f"{company}@{surge.opened.isoformat()}"
        while key in self._keys:  # that moment opened another one, until late stories moved it
            key += "+"
        self._keys.add(key)
        alert = Alert(len(self.alerts) + 1, key, company, surge.opened, surge.usual_rate, [])
        self.alerts.append(alert)
        return alert

    def _settle(self, company: str, watched: _Watched) -> None:
        now = watched.now if self._now is None else max(watched.now, self._now)
        unresolved = self._unresolved.get(company, {})
        for alert in list(unresolved.values()):
            alert.settle(now)
            if alert.state == "resolved":
                del unresolved[alert.number]
        if not unresolved:
            self._unresolved.pop(company, None)


def _order(cause: Cause) -> tuple[datetime, str]:
    return cause.time, cause.key
