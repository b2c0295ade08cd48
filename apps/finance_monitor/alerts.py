"""Tells a surge of bad news from the usual trickle, once, early, and with the reason.

For each company, negative stories are taken for a Poisson process. A CUSUM of the log-likelihood ratio of "`RATIO`
times the usual rate" against "the usual rate" (Page 1954; for point processes Lucas 1985) rises with each negative
story and sinks with quiet hours; the usual rate is an exponentially weighted mean of the company's own past. Crossing
`threshold` opens an alert; it is resolved once `QUIET` has passed without another negative story.
"""

import math
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


@dataclass(frozen=True)
class Cause:
    """A headline that raised the statistic."""

    time: datetime
    headline: str
    negative: float


@dataclass
class Alert:
    """A surge of bad news about one company.

    Attributes:
        number: Number of the alert, from 1 on.
        company: Id of the company.
        opened: Moment at which the threshold was crossed.
        usual_rate: Negative stories an hour before the surge.
        causes: Headlines behind it, oldest first; grows while the alert is not resolved.
        severity: `severe` when far beyond the threshold.
        state: State of the alert; only people acknowledge, only quiet resolves.
        resolved: Moment at which it went quiet.
    """

    number: int
    company: str
    opened: datetime
    usual_rate: float
    causes: list[Cause]
    severity: Literal["raised", "severe"] = "raised"
    state: Literal["open", "acknowledged", "resolved"] = "open"
    resolved: datetime | None = None

    @property
    def hours(self) -> float:
        """Time from the first to the latest cause."""
        return (self.causes[-1].time - self.causes[0].time) / timedelta(hours=1)

    @property
    def usual(self) -> float:
        """Negative stories that the same time usually brings."""
        return self.usual_rate * max(self.hours, 1.0)


@dataclass
class _Watched:
    stories: float = _PRIOR_STORIES
    hours: float = _PRIOR_HOURS
    statistic: float = 0.0
    last: datetime | None = None
    causes: list[Cause] = field(default_factory=list)
    alert: Alert | None = None

    @property
    def rate(self) -> float:
        return self.stories / self.hours


class SurgeDetector:
    """Watches every company; feed it stories in order of time.

    Args:
        threshold: Threshold of the statistic; higher means later and fewer false alarms.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self.threshold = threshold
        self.alerts: list[Alert] = []
        self._watched: dict[str, _Watched] = {}

    def observe(self, company: str, time: datetime, headline: str, negative: float) -> Alert | None:
        """Take in one new story.

        Args:
            company: Id of the company.
            time: Moment of publication; a late item counts as of the latest time seen.
            headline: Headline, for the reason.
            negative: Probability that it is bad news.

        Returns:
            The alert that it opens, if it does.
        """
        watched = self._watched.setdefault(company, _Watched())
        time = self._pass_time(watched, time)
        if negative < 0.5:
            return None
        watched.statistic += negative * math.log(RATIO)
        watched.causes.append(Cause(time, headline, negative))
        if watched.alert is None:
            watched.stories += negative
            if watched.statistic >= self.threshold:
                return self._open(company, watched, time)
        else:
            watched.alert.causes.append(watched.causes[-1])
            if watched.statistic >= _SEVERE * self.threshold:
                watched.alert.severity = "severe"
        return None

    def pass_time(self, now: datetime) -> None:
        """Let the clock run for every company, which resolves alerts that have gone quiet."""
        for watched in self._watched.values():
            self._pass_time(watched, now)

    def _pass_time(self, watched: _Watched, now: datetime) -> datetime:
        """Let a company's clock run, which never turns back; what it shows."""
        last = watched.last or now
        watched.last = now = max(last, now)
        hours = (now - last) / timedelta(hours=1)
        if watched.alert is None:  # a surge must not become the new normal
            fade = math.exp(-hours / _MEMORY_HOURS)
            watched.stories *= fade
            watched.hours = watched.hours * fade + _MEMORY_HOURS * (1 - fade)
        watched.statistic = max(watched.statistic - (RATIO - 1) * watched.rate * hours, 0.0)
        if watched.statistic == 0.0:
            watched.causes.clear()
        if watched.alert is not None and now - watched.alert.causes[-1].time >= QUIET:
            watched.alert.state, watched.alert.resolved = "resolved", now
            watched.alert = None
            watched.statistic = 0.0
            watched.causes.clear()
        return now

    def _open(self, company: str, watched: _Watched, time: datetime) -> Alert:
        before = watched.rate - sum(cause.negative for cause in watched.causes) / watched.hours
        usual = max(before, 1 / _MEMORY_HOURS)
        watched.alert = Alert(len(self.alerts) + 1, company, time, usual, list(watched.causes))
        self.alerts.append(watched.alert)
        return watched.alert
