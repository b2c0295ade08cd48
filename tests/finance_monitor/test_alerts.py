"""Surges alert once, early and with the reason; copies, volume and the usual trickle do not."""

from datetime import UTC, datetime, timedelta

import numpy as np

from apps.finance_monitor.alerts import SurgeDetector
from apps.finance_monitor.stories import StoryFolder

MONDAY = datetime(2025, 3, 3, 9, tzinfo=UTC)


def usual_trickle(detector: SurgeDetector, weeks: int = 8) -> datetime:
    """Two bad stories a week."""
    for week in range(weeks):
        for day in (0, 3):
            detector.observe("acme", MONDAY + timedelta(weeks=week, days=day), f"trickle {week} {day}", 0.9)
    return MONDAY + timedelta(weeks=weeks)


def test_the_usual_trickle_never_alerts():
    detector = SurgeDetector()
    usual_trickle(detector, weeks=50)
    assert detector.alerts == []


def test_a_surge_alerts_once_with_its_causes_and_is_resolved_when_it_cools():
    detector = SurgeDetector()
    start = usual_trickle(detector)
    opened = [detector.observe("acme", start + timedelta(hours=h), f"bad {h}", 0.95) for h in range(12)]
    assert sum(alert is not None for alert in opened) == 1
    alert = detector.alerts[0]
    assert alert.opened - start <= timedelta(hours=4)
    assert next(cause.headline for cause in alert.causes if cause.headline.startswith("bad")) == "bad 0"
    assert len(alert.causes) >= 12
    assert alert.usual < 1 < len(alert.causes)
    assert alert.severity == "severe"
    detector.pass_time(start + timedelta(days=10))
    assert alert.state == "resolved"


def test_another_company_is_not_drawn_in():
    detector = SurgeDetector()
    for hour in range(12):
        detector.observe("acme", MONDAY + timedelta(hours=hour), "bad", 0.95)
        detector.observe("other", MONDAY + timedelta(hours=hour), "fine", 0.05)
    assert {alert.company for alert in detector.alerts} == {"acme"}


def test_a_late_item_does_not_turn_the_clock_back():
    detector = SurgeDetector()
    detector.observe("acme", MONDAY, "now", 0.9)
    detector.observe("acme", MONDAY - timedelta(days=3), "late", 0.9)
    detector.pass_time(MONDAY + timedelta(hours=1))
    assert detector.alerts == []


def test_copies_of_one_story_are_folded_and_old_ones_forgotten():
    generator = np.random.default_rng(0)

    def unit(vector):
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    story = unit(generator.normal(size=32))
    copies = [unit(story + 0.02 * generator.normal(size=32)) for _ in range(5)]
    folder = StoryFolder()
    first, is_new = folder.fold("acme", MONDAY, story)
    assert is_new
    for hour, copy in enumerate(copies):
        assert folder.fold("acme", MONDAY + timedelta(hours=hour), copy) == (first, False)
    assert folder.fold("other", MONDAY, story)[1]
    assert folder.fold("acme", MONDAY + timedelta(days=30), story)[1]
