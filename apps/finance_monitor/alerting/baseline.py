"""How far a company's news may be forgotten, and what stays of them.

What is usual for a company follows from all of its past, and so does which surge has been told. A purge therefore moves
a `Baseline` first: a moment at which no surge is open and the statistic is zero, so that what came before is no more
than the usual rate. Whoever begins there goes on exactly as whoever has read everything.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from apps.finance_monitor.alerting.course import BAD, Baseline, Course, Story
from apps.finance_monitor.alerting.rule import Rule


@dataclass(frozen=True)
class Past:
    """An item of a company's stored news.

    Attributes:
        story: Story that it tells.
        counts: Whether it is a story of its own, of a company that is watched.
        steps: Number of its changes of the company's stories: when it came, and when it turned out to be a copy.
    """

    story: Story
    counts: bool
    steps: int


def advanced(before: Baseline | None, past: Iterable[Past], until: datetime, rule: Rule) -> Baseline | None:
    """The latest baseline of a company up to a moment.

    Args:
        before: Baseline where its course begins by now; None for the first of its stories.
        past: Its news in order (time, then key), from `CONTEXT` before that baseline on.
        until: Moment up to which it may move.
        rule: Rule by which alerts are opened.

    Returns:
        A baseline, or None where all of its news belong to what is under way.
    """
    course, found = begun(before, rule), before
    steps = 0 if before is None else before.steps
    for item in past:
        story = item.story
        if story.time >= until:
            break
        course = course or Course(story.time, severe=rule.severe)
        if before is not None and story.time < before.moment:
            if item.counts:
                course.look_back(story)
            continue
        if item.counts:
            if story.negative >= BAD:
                found = course.rest(story.time, steps) or found
            follow(course, story, rule)
        steps += item.steps
    return found if course is None else course.rest(until, steps) or found


def begun(baseline: Baseline | None, rule: Rule) -> Course | None:
    """A course at its baseline; None where there is none."""
    if baseline is None:
        return None
    return Course(baseline.last, severe=rule.severe, stories=baseline.stories, hours=baseline.hours)


def follow(course: Course, story: Story, rule: Rule) -> None:
    """Let a course take the next story, which may open a surge."""
    if course.take(story) and rule.opens(course):
        course.open()
