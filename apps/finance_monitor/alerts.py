"""Tells a surge of bad news from the usual trickle, once, early, and with the reason.

Each company has a course of stories (`alerting.course`), and a rule that says at which bad story an alert opens
(`alerting.rule`): the one that was learnt, unless another is named. It is resolved once `QUIET` has passed without
another bad story.

**What is promised.** The surges of a company follow from the set of its stories alone: they are put in the order of
their publication (time, then key), whatever the order in which they arrive, and no clock has a say in them but by
resolving. So a story that comes late, by any time, lands in its own hours: it joins a surge, makes one begin earlier or
last longer, or opens a late alert. It never resolves one; one that was resolved too soon opens again.

What was told stays told. Each surge is told once, at the first story that makes it one, and its alert follows it from
then on. Stories that arrive later may unmake a surge (a late copy makes two stories one; late trickle raises what is
usual; a late story joins two surges into one). The alert that told of it then stays as it was, and quiet resolves it.
That is the one trace that an order of arrival leaves, and it is the same for everybody who reads the same stories in
the same order, at once or in portions, today or again tomorrow.

Old news may be purged. A company's course begins then at a baseline (`alerting.baseline`), and a story from before it
counts no more. Whoever was there goes on from it (`begin`); whoever starts behind it takes in the stories that are left
without telling of them, and then knows the alerts that are stored again by their causes (`resume`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from apps.finance_monitor.alerting import baseline
from apps.finance_monitor.alerting.course import BAD, CONTEXT, QUIET, Baseline, Course, Severity, Story, Surge
from apps.finance_monitor.alerting.rule import Rule, learnt


@dataclass
class Alert:
    """A surge of bad news about one company.

    Attributes:
        number: Number of the alert, from 1 on.
        key: Company and moment under which it was told, which stay as they are.
        company: Id of the company.
        opened: Moment of the story at which it was opened.
        usual_rate: Negative stories an hour before the surge.
        causes: Headlines behind it, oldest first; grows while the alert is not resolved.
        severity: `severe` when the statistic was far beyond its usual threshold.
        state: State of the alert; only people acknowledge, only quiet resolves.
        resolved: Moment at which it had been quiet for long enough.
        changed: Number of the company's stories that had come when it last became another one.
    """

    number: int
    key: str
    company: str
    opened: datetime
    usual_rate: float
    causes: list[Story]
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

    def follow(self, surge: Surge, *, has_grown: bool) -> bool:
        """Tell what is known of the surge by now, except that severity does not sink; whether it is another one.

        Args:
            surge: Surge that it tells of.
            has_grown: Whether it has told of that very surge before, so that both have the one list of causes.
        """
        severity: Severity = "severe" if "severe" in (self.severity, surge.severity) else "raised"
        before = (self.opened, self.usual_rate, self.severity, self.causes)
        after = (surge.opened, surge.usual_rate, severity, surge.causes)
        self.opened, self.usual_rate, self.severity, self.causes = after
        return has_grown or before != after

    def recall(self, surge: Surge) -> None:
        """Take over what is not stored of a surge's stories, if it is the one that the alert told of."""
        if self.opened == surge.opened and _told(self.causes) == _told(surge.causes):
            self.usual_rate, self.causes = surge.usual_rate, surge.causes

    def settle(self, now: datetime) -> None:
        """Resolve it if it has gone quiet by now; one that late news have kept awake is open again."""
        quiet = self.causes[-1].time + QUIET
        if quiet <= now:
            self.state, self.resolved = "resolved", quiet
        elif self.state == "resolved":
            self.state, self.resolved = "open", None


@dataclass
class _Watched:
    """A company: its stories in order of time, what they amount to, and what was told of that.

    Attributes:
        since: Moment of its first story.
        now: Moment of its last one.
        course: Course that its stories amount to.
        stories: Its stories, in order.
        followed: Alerts by the id of the surge of the course that they follow.
        told: Alerts by the stories that they told of.
        steps: Number of changes of its stories.
        base: Baseline where its course begins; None for the first of its stories.
    """

    since: datetime
    now: datetime
    course: Course
    stories: list[Story] = field(default_factory=list)
    followed: dict[int, Alert] = field(default_factory=dict)
    told: dict[Story, Alert] = field(default_factory=dict)
    steps: int = 0
    base: Baseline | None = None

    def is_past(self, time: datetime) -> bool:
        """Whether a story of a moment counts no more."""
        return self.base is not None and time < self.base.moment


class SurgeDetector:
    """Watches every company; stories may come in any order.

    Args:
        rule: Rule by which alerts are opened; None for the learnt one.
    """

    def __init__(self, rule: Rule | None = None) -> None:
        self.rule = rule or learnt()
        self.alerts: list[Alert] = []
        self._watched: dict[str, _Watched] = {}
        self._keys: set[str] = set()
        self._unresolved: dict[str, dict[int, Alert]] = {}
        self._now: datetime | None = None
        # Companies whose stories of before the start are being taken in again.
        self._resuming: set[str] = set()

    def begin(self, company: str, base: Baseline, *, is_start: bool) -> None:
        """Let a company's course begin at a baseline.

        Args:
            company: Id of the company.
            base: Its baseline.
            is_start: Whether none of its stories were taken in yet; those that come tell nothing until `resume`.
        """
        watched = self._watched.get(company)
        if watched is None:
            watched = _Watched(base.moment, base.moment, self._course(base.moment), steps=base.steps)
            self._watched[company] = watched
        watched.base = base
        if is_start:
            self._resuming.add(company)
            return
        watched.stories = [story for story in watched.stories if story.time >= base.moment - CONTEXT]
        watched.told = {story: watched.told[story] for story in watched.stories if story in watched.told}
        self._run_again(company, watched)
        self._settle(company, watched)

    def resume(self, alerts: Iterable[Alert]) -> None:
        """Know again what was told of the stories that were taken in since the start, and go on.

        Args:
            alerts: Alerts that are stored of the companies that began at a baseline, in the order in which they opened.
        """
        for alert in alerts:
            alert.number = len(self.alerts) + 1
            self.alerts.append(alert)
            self._keys.add(alert.key)
            stories = {(story.time, story.headline): story for story in self._watched[alert.company].stories}
            for cause in _told(alert.causes):
                if cause in stories:
                    self._watched[alert.company].told.setdefault(stories[cause], alert)
            if alert.state != "resolved":
                self._unresolved.setdefault(alert.company, {})[alert.number] = alert
        for company in sorted(self._resuming):
            self._run_again(company, self._watched[company])
            self._settle(company, self._watched[company])
        self._resuming.clear()

    def observe(
        self, company: str, time: datetime, headline: str, negative: float, key: str = "", topic: str = ""
    ) -> Alert | None:
        """Take in one new story.

        Args:
            company: Id of the company.
            time: Moment of publication.
            headline: Headline, for the reason.
            negative: Probability that it is bad news.
            key: Key that puts stories of one moment in order.
            topic: Topic that it was labelled with.

        Returns:
            The alert that it opens, if it does.
        """
        watched = self._watched.get(company)
        if watched is None:
            watched = self._watched[company] = _Watched(time, time, self._course(time))
        watched.steps += not watched.is_past(time)
        is_first = time < watched.since
        watched.since, watched.now = min(watched.since, time), max(watched.now, time)
        before = len(self.alerts)
        self._add(company, watched, Story(time, headline, negative, key, topic), is_first=is_first)
        if company not in self._resuming:
            self._settle(company, watched)
        return self.alerts[-1] if len(self.alerts) > before else None

    def withdraw(self, company: str, time: datetime, key: str) -> None:
        """Take back a story that has turned out to be none of its own."""
        watched = self._watched[company]
        watched.steps += not watched.is_past(time)
        at = bisect_right(watched.stories, (time, key), key=_order) - 1
        if at >= 0 and _order(watched.stories[at]) == (time, key):
            del watched.stories[at]
            if company not in self._resuming:
                self._run_again(company, watched)
                self._settle(company, watched)

    def pass_time(self, now: datetime) -> None:
        """Let the clock run for every company, which resolves alerts that have gone quiet."""
        self._now = now if self._now is None else max(self._now, now)
        for company in list(self._unresolved):
            self._settle(company, self._watched[company])

    # Helpers

    def _course(self, since: datetime) -> Course:
        return Course(since, severe=self.rule.severe)

    def _add(self, company: str, watched: _Watched, story: Story, *, is_first: bool) -> None:
        at = bisect_right(watched.stories, _order(story), key=_order)
        watched.stories.insert(at, story)
        if company in self._resuming:
            return
        if is_first or at + 1 < len(watched.stories):
            self._run_again(company, watched)
            return
        baseline.follow(watched.course, story, self.rule)
        if watched.course.surge is not None and story.negative >= BAD:
            self._tell(company, watched, [watched.course.surge])

    def _run_again(self, company: str, watched: _Watched) -> None:
        watched.course = baseline.begun(watched.base, self.rule) or self._course(watched.since)
        watched.followed.clear()
        for story in watched.stories:
            if watched.is_past(story.time):
                watched.course.look_back(story)
            else:
                baseline.follow(watched.course, story, self.rule)
        self._tell(company, watched, watched.course.surges)

    def _tell(self, company: str, watched: _Watched, surges: Sequence[Surge]) -> None:
        """Let each surge have its alert: the first that told of one of its stories, else a new one."""
        taken: set[int] = set()
        for surge in surges:
            followed = watched.followed.get(id(surge))
            alert = followed or self._known(watched, surge, taken) or self._new(company, surge)
            watched.followed[id(surge)] = alert
            taken.add(alert.number)
            if company in self._resuming:
                alert.recall(surge)
            if alert.follow(surge, has_grown=followed is not None):
                alert.changed = watched.steps
                self._unresolved.setdefault(company, {})[alert.number] = alert
            for cause in surge.causes:
                watched.told.setdefault(cause, alert)

    def _known(self, watched: _Watched, surge: Surge, taken: set[int]) -> Alert | None:
        known = {alert.number: alert for cause in surge.causes if (alert := watched.told.get(cause))}
        return known.get(min(known.keys() - taken, default=0))

    def _new(self, company: str, surge: Surge) -> Alert:
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


def _told(causes: Iterable[Story]) -> list[tuple[datetime, str]]:
    return [(cause.time, cause.headline) for cause in causes]


def _order(story: Story) -> tuple[datetime, str]:
    return story.time, story.key
