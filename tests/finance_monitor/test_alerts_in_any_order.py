"""What holds of alerts whatever the news are, and in whichever order they arrive."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.finance_monitor.alerting.rule import Rule, cusum, learnt
from apps.finance_monitor.alerts import Alert, SurgeDetector
from tests.finance_monitor.test_alerts import HOUR, MONDAY, STEP


@st.composite
def news(draw: st.DrawFn) -> list[tuple[str, datetime, float]]:
    """Companies, times and probabilities of bad news, oldest first."""
    hours = draw(st.lists(st.integers(0, 1000), max_size=60).map(sorted))
    return [
        (draw(st.sampled_from("ab")), MONDAY + hour * HOUR, draw(st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0])))
        for hour in hours
    ]


def watch(news: list[tuple[str, datetime, float]]) -> list[Alert]:
    detector = SurgeDetector(cusum(4.0))
    for company, time, negative in news:
        detector.observe(company, time, "h", negative)
    return detector.alerts


@given(news())
def test_news_of_another_company_changes_nothing(news):
    for company in "ab":
        alone = watch([item for item in news if item[0] == company])
        among_others = [alert for alert in watch(news) if alert.company == company]
        assert [replace(alert, number=0) for alert in among_others] == [replace(alert, number=0) for alert in alone]


@given(news())
def test_a_company_has_one_alert_at_a_time_and_36_quiet_hours_before_the_next(news):
    for company in "ab":
        alerts = [alert for alert in watch(news) if alert.company == company]
        for alert, following in pairwise(alerts):
            assert alert.causes[-1].time + 36 * HOUR <= alert.resolved <= following.causes[0].time


@given(news())
def test_an_alert_holds_at_least_as_much_bad_news_as_the_threshold_takes(news):
    for alert in watch(news):
        assert sum(cause.negative for cause in alert.causes) * STEP >= 4.0
        assert all(cause.negative >= 0.5 for cause in alert.causes)


Story = tuple[str, datetime, str, float]
RULES = [pytest.param(cusum(4.0), id="cusum"), pytest.param(learnt(), id="learnt")]


@st.composite
def stories(draw: st.DrawFn) -> list[Story]:
    """Distinct stories in any order of arrival: surges and trickle of two companies."""
    count = draw(st.integers(0, 24))
    hours = [draw(st.integers(0, 20) | st.integers(0, 400)) for _ in range(count)]
    some = [
        (draw(st.sampled_from("ab")), MONDAY + hour * HOUR, str(number), draw(st.sampled_from([0.0, 0.3, 0.6, 1.0])))
        for number, hour in enumerate(hours)
    ]
    return draw(st.permutations(some))


def fed(stories: list[Story], rule: Rule, *, ticks: bool = False) -> SurgeDetector:
    detector = SurgeDetector(rule)
    for company, time, key, negative in stories:
        detector.observe(company, time, f"news{key}", negative, key)
        if ticks:
            detector.pass_time(time + timedelta(minutes=int(key)))
    return detector


def in_order(stories: list[Story]) -> list[Story]:
    return sorted(stories, key=lambda story: (story[1], story[2]))


def facts(alert: Alert) -> tuple:
    return (alert.company, alert.opened, alert.usual_rate, tuple(alert.causes), alert.state, alert.resolved)


def after_all(detector: SurgeDetector) -> list[Alert]:
    detector.pass_time(MONDAY + timedelta(days=100))
    return detector.alerts


@pytest.mark.parametrize("rule", RULES)
@given(stories())
def test_in_any_order_of_arrival_the_same_surges_are_told(rule, stories):
    arrived = {facts(alert): alert.severity for alert in after_all(fed(stories, rule))}
    for alert in after_all(fed(in_order(stories), rule)):
        assert facts(alert) in arrived
        assert arrived[facts(alert)] in (alert.severity, "severe")  # which never sinks


@pytest.mark.parametrize("rule", RULES)
@given(stories())
def test_what_was_told_stays_told_and_is_told_once(rule, stories):
    detector = SurgeDetector(rule)
    told: list[Alert] = []
    for company, time, key, negative in stories:
        before = {alert.number: (alert.company, alert.key, alert.severity) for alert in detector.alerts}
        opened = detector.observe(company, time, f"news{key}", negative, key)
        told += [opened] if opened else []
        for number, (of, known_as, severity) in before.items():
            alert = detector.alerts[number - 1]
            assert (alert.company, alert.key) == (of, known_as)
            assert alert.severity in (severity, "severe")
        assert all(alert.hours >= 0 for alert in detector.alerts)
        assert all(alert.opened in [cause.time for cause in alert.causes] for alert in detector.alerts)
    assert [alert.number for alert in told] == list(range(1, len(told) + 1))
    assert len({alert.key for alert in told}) == len(told)
    assert len(detector.alerts) >= len(told)


@pytest.mark.parametrize("rule", RULES)
@given(stories())
def test_the_clock_has_no_say_in_which_surges_are_told(rule, stories):
    ticked, silent = after_all(fed(stories, rule, ticks=True)), after_all(fed(stories, rule))
    assert [(facts(alert), alert.changed) for alert in ticked] == [(facts(alert), alert.changed) for alert in silent]


@pytest.mark.parametrize("rule", RULES)
@given(stories())
def test_a_late_story_resolves_nothing(rule, stories):
    detector = fed(stories, rule)
    unresolved = [alert for alert in detector.alerts if alert.state == "open"]
    for company in "ab":
        detector.observe(company, MONDAY - timedelta(days=3), "late", 1.0, "late")
        detector.observe(company, MONDAY, "late", 1.0, "later")
    assert all(alert.state == "open" for alert in unresolved)
