"""The course of one company's stories: what the detector knows at a story of bad news, and the surges that it saw.

Negative stories are taken for a Poisson process. A CUSUM of the log-likelihood ratio of "`RATIO` times the usual rate"
against "the usual rate" (Page 1954; for point processes Lucas 1985) rises with each negative story and sinks with quiet
hours; the usual rate is an exponentially weighted mean of the company's own past. `state` shows that statistic beside
counts, topics and words of the last days to whoever decides; a surge that was opened is over once `QUIET` has passed
without another negative story.
"""

import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import Literal

import numpy as np

from apps.finance_monitor.linking import words_of

RATIO = 8.0
QUIET = timedelta(hours=36)
BAD = 0.5
MEMORY_HOURS = 28 * 24.0
# Before a company has a past of its own: one negative story a week, believed as much as four weeks of watching.
_PRIOR_STORIES, _PRIOR_HOURS = 4.0, 28 * 24.0
_SPANS = (6.0, 24.0, 72.0)
# A decision looks at the stories of the longest span, and each of these at the words of as many hours before itself.
CONTEXT = timedelta(hours=2 * _SPANS[-1])
# Shorter words are articles and prepositions, which every headline has.
_LETTERS = 4

# What `Course.state` shows, in this order; all are at least 0.
FEATURES = (
    "statistic",
    "usual_a_week",
    "negative",
    *(f"bad_{span:.0f}h" for span in _SPANS),
    *(f"likely_{span:.0f}h" for span in _SPANS),
    *(f"fresh_{span:.0f}h" for span in _SPANS),
    *(f"other_{span:.0f}h" for span in _SPANS),
    "topics",
    "same_topic",
    "fresh",
    "hours_since_last",
    "hours_since_first",
)

Severity = Literal["raised", "severe"]
# Whether to open an alert, given a state.
Decide = Callable[[np.ndarray], bool]


@dataclass(frozen=True)
class Story:
    """A story about a company; `key` puts those of one moment in order."""

    time: datetime
    headline: str
    negative: float
    key: str = ""
    topic: str = ""

    @cached_property
    def words(self) -> frozenset[str]:
        """Words of the headline that say something."""
        return frozenset(word.casefold() for word in words_of(self.headline) if len(word) >= _LETTERS)


@dataclass
class Surge:
    """Bad news that were told together."""

    opened: datetime
    usual_rate: float
    causes: list[Story]
    severity: Severity = "raised"

    @property
    def over(self) -> datetime:
        return self.causes[-1].time + QUIET


@dataclass(frozen=True, slots=True)
class _Seen:
    """A story of the last days; of a bad one the share of its words that no bad story before it had."""

    story: Story
    fresh: float = 0.0
    is_bad: bool = False


@dataclass(frozen=True)
class Baseline:
    """Where the course of a company begins anew once the news before are gone: a moment with nothing under way.

    Attributes:
        moment: Moment before which no story counts any more; those of `CONTEXT` before are looked back at.
        last: Moment of the last story that told of the usual rate.
        stories: Bad stories that the usual rate is made of, then.
        hours: Hours that it is made of, then.
        steps: Number of changes of the stories before, see `alerts`.
    """

    moment: datetime
    last: datetime
    stories: float
    hours: float
    steps: int = 0


@dataclass
class Course:
    """What stories, in order of time, amount to.

    Attributes:
        last: Moment up to which the statistic has sunk; at first that of the company's first story.
        ratio: Rate of a surge, as a multiple of the usual one.
        severe: Statistic from which a surge is severe.
        surges: Surges so far.
        surge: The one that is not over, if there is one.
    """

    last: datetime
    ratio: float = RATIO
    severe: float = math.inf
    stories: float = _PRIOR_STORIES
    hours: float = _PRIOR_HOURS
    statistic: float = 0.0
    causes: list[Story] = field(default_factory=list)
    surges: list[Surge] = field(default_factory=list)
    surge: Surge | None = None
    _recent: deque[_Seen] = field(default_factory=deque)

    @property
    def rate(self) -> float:
        """Usual number of bad stories an hour."""
        return self.stories / self.hours

    def take(self, story: Story) -> bool:
        """Take in the next story; whether there is something to decide: it is bad news, and no surge is open."""
        is_bad = story.negative >= BAD
        if is_bad:
            self._pass_time(story.time)
        self._remember(story, is_bad=is_bad)
        if not is_bad:
            return False
        self.statistic += story.negative * math.log(self.ratio)
        self.causes.append(story)
        if self.surge is None:
            self.stories += story.negative
            return True
        self.surge.causes.append(story)
        if self.statistic >= self.severe:
            self.surge.severity = "severe"
        return False

    def state(self) -> np.ndarray:
        """What is known at the bad story that was taken last, float64 of shape (len(FEATURES),)."""
        newest = self._recent[-1]
        ages = [_hours(self.last - seen.story.time) for seen in self._recent]
        counts = [[0.0] * len(_SPANS) for _ in range(4)]
        for age, seen in zip(ages, self._recent, strict=True):
            for at, span in enumerate(_SPANS):
                if age <= span:
                    counts[0][at] += seen.is_bad
                    counts[1][at] += seen.story.negative
                    counts[2][at] += seen.fresh
                    counts[3][at] += not seen.is_bad
        bad_ages = [age for age, seen in zip(ages, self._recent, strict=True) if seen.is_bad]
        since_last = bad_ages[-2] if len(bad_ages) > 1 else _SPANS[-1]
        since_first = min(_hours(self.last - self.causes[0].time), _SPANS[-1])
        topics = Counter(seen.story.topic for seen in self._recent if seen.is_bad)
        known = [self.statistic, self.rate * 168, newest.story.negative, *chain(*counts)]
        words_and_topics = (len(topics), topics[newest.story.topic], newest.fresh)
        return np.array([*known, *words_and_topics, since_last, since_first], dtype=np.float64)

    def open(self) -> Surge:
        """Open a surge at the story that was taken last."""
        before = self.rate - sum(cause.negative for cause in self.causes) / self.hours
        self.surge = Surge(self.causes[-1].time, max(before, 1 / MEMORY_HOURS), list(self.causes))
        self.surges.append(self.surge)
        return self.surge

    def look_back(self, story: Story) -> None:
        """Remember a story from before the course's begin, which counts for nothing else."""
        self._remember(story, is_bad=story.negative >= BAD)

    def rest(self, moment: datetime, steps: int) -> Baseline | None:
        """A baseline at a moment behind the last story, if nothing is under way then: no surge, no statistic."""
        then = replace(self, causes=list(self.causes))
        then._pass_time(moment)
        if then.surge is not None or then.statistic > 0.0:
            return None
        begun = replace(self, causes=[])
        if self.surge is not None:  # as the next story will find it: whoever goes on has the very same figures
            begun._sink(self.surge.over)
        return Baseline(moment, begun.last, begun.stories, begun.hours, steps)

    # Helpers

    def _remember(self, story: Story, *, is_bad: bool) -> None:
        while self._recent and _hours(story.time - self._recent[0].story.time) > _SPANS[-1]:
            self._recent.popleft()
        if not is_bad:
            self._recent.append(_Seen(story))
            return
        new = story.words.difference(*(seen.story.words for seen in self._recent if seen.is_bad))
        # scripts without spaces have no words here, and their stories count as told for the first time
        fresh = len(new) / len(story.words) if story.words else 1.0
        self._recent.append(_Seen(story, fresh, is_bad=True))

    def _pass_time(self, now: datetime) -> None:
        if self.surge is not None and self.surge.over <= now:
            self._sink(self.surge.over)
            self.surge, self.statistic = None, 0.0
            self.causes.clear()
        self._sink(now)

    def _sink(self, now: datetime) -> None:
        hours = _hours(now - self.last)
        self.last = now
        if self.surge is None:  # a surge must not become the new normal
            fade = math.exp(-hours / MEMORY_HOURS)
            self.stories *= fade
            self.hours = self.hours * fade + MEMORY_HOURS * (1 - fade)
        self.statistic = max(self.statistic - (self.ratio - 1) * self.rate * hours, 0.0)
        if self.statistic == 0.0:
            self.causes.clear()


def _hours(span: timedelta) -> float:
    return span.total_seconds() / 3600
