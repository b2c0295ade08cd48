"""Surges alert once, early and with the reason; copies, volume and the usual trickle do not.

The numbers are worked out by hand from the module's description. A company without a past is taken for one of four bad
stories in four weeks, 1/168 an hour. Each certain one raises the statistic by log 8 = 2.079, and each quiet hour lowers
it by 8 - 1 = 7 times the usual rate. The alarm goes off at 7: at the fourth certain story of a moment, and not at the
third.
"""

from datetime import UTC, datetime, timedelta
from math import exp, log

import pytest

from apps.finance_monitor.alerting.rule import cusum
from apps.finance_monitor.alerts import Alert, SurgeDetector

MONDAY = datetime(2025, 3, 3, 9, tzinfo=UTC)
STEP = log(8)
WEEKS_4 = 28 * 24  # hours
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def bad_stories(detector: SurgeDetector, count: int, time: datetime = MONDAY, company: str = "acme") -> list[Alert]:
    """Certain ones, at one moment; the alerts that they open."""
    opened = [detector.observe(company, time, f"bad {number}", 1.0) for number in range(count)]
    return [alert for alert in opened if alert is not None]


def headlines(alert: Alert) -> list[str]:
    return [cause.headline for cause in alert.causes]


def test_the_fourth_bad_story_of_a_moment_opens_the_alert():
    detector = SurgeDetector(cusum())
    assert bad_stories(detector, 3) == []
    alert = detector.observe("acme", MONDAY, "the fourth", 0.9)
    assert detector.alerts == [alert]
    assert (alert.number, alert.company, alert.opened) == (1, "acme", MONDAY)
    assert (alert.state, alert.severity, alert.resolved) == ("open", "raised", None)
    assert headlines(alert) == ["bad 0", "bad 1", "bad 2", "the fourth"]
    assert [cause.negative for cause in alert.causes] == [1.0, 1.0, 1.0, 0.9]


def test_the_threshold_itself_is_enough():
    assert len(bad_stories(SurgeDetector(cusum(2 * STEP)), 2)) == 1


def test_a_story_counts_by_how_likely_it_is_bad_news():
    likely = SurgeDetector(cusum(1.4 * STEP))
    assert likely.observe("acme", MONDAY, "likely", 0.7) is None
    assert likely.observe("acme", MONDAY, "likely", 0.7) is not None


def test_a_story_that_is_more_likely_no_bad_news_counts_for_nothing():
    detector = SurgeDetector(cusum(0.5 * STEP))
    for number in range(100):
        detector.observe("acme", MONDAY, f"fine {number}", 0.499)
    assert detector.alerts == []
    assert headlines(detector.observe("acme", MONDAY, "even", 0.5)) == ["even"]


def test_quiet_hours_lower_the_statistic_by_seven_times_the_usual_rate():
    # One story in a day: 4 + 1 in four weeks, faded for a day.
    usual_rate = 5 * exp(-24 / WEEKS_4) / WEEKS_4
    reached = STEP - 7 * usual_rate * 24 + STEP
    assert reached == pytest.approx(2.95274, abs=1e-5)
    for threshold, expected in ((reached - 1e-6, 1), (reached + 1e-6, 0)):
        detector = SurgeDetector(cusum(threshold))
        bad_stories(detector, 1)
        assert len(bad_stories(detector, 1, MONDAY + 24 * HOUR)) == expected


def test_two_bad_stories_a_week_never_alert():
    detector = SurgeDetector(cusum())
    for week in range(50):
        for day in (0, 3):
            detector.observe("acme", MONDAY + timedelta(weeks=week, days=day), f"trickle {week} {day}", 0.9)
    assert detector.alerts == []


def test_the_usual_rate_is_that_of_the_stories_before_the_surge():
    alert = bad_stories(SurgeDetector(cusum()), 4)[0]
    assert alert.usual_rate == pytest.approx(4 / WEEKS_4)


def test_the_usual_rate_fades_by_half_in_nineteen_days_and_never_below_one_story_in_four_weeks():
    for hours, stories in ((0, 4.0), (WEEKS_4 * log(2), 2.0), (WEEKS_4 * log(4), 1.0), (WEEKS_4 * log(8), 1.0)):
        detector = SurgeDetector(cusum())
        detector.observe("acme", MONDAY, "fine", 0.0)
        alert = bad_stories(detector, 4, MONDAY + hours * HOUR)[0]
        assert alert.usual_rate == pytest.approx(stories / WEEKS_4)


def test_a_company_with_many_bad_stories_needs_more_of_them():
    detector = SurgeDetector(cusum())
    for day in range(56):
        detector.observe("acme", MONDAY + timedelta(days=day), f"daily {day}", 1.0)
    assert detector.alerts == []
    assert bad_stories(detector, 2, MONDAY + timedelta(days=56)) == []


def test_a_reason_says_in_how_many_hours_and_what_they_usually_bring():
    detector = SurgeDetector(cusum(2 * STEP))
    alert = bad_stories(detector, 2)[0]
    assert (alert.hours, alert.usual) == (0.0, pytest.approx(4 / WEEKS_4))  # at least what an hour brings
    bad_stories(detector, 1, MONDAY + 5 * HOUR)
    assert (alert.hours, alert.usual) == (5.0, pytest.approx(5 * 4 / WEEKS_4))


def test_what_came_before_the_statistic_was_back_at_zero_is_no_cause():
    detector = SurgeDetector(cusum())
    detector.observe("acme", MONDAY, "long past", 1.0)
    bad_stories(detector, 1, MONDAY + timedelta(weeks=3))
    alert = bad_stories(detector, 3, MONDAY + timedelta(weeks=3, hours=1))[0]
    assert headlines(alert) == ["bad 0", "bad 0", "bad 1", "bad 2"]


def test_during_a_surge_stories_join_the_alert_and_open_no_other():
    detector = SurgeDetector(cusum())
    alert = bad_stories(detector, 4)[0]
    for hour in range(1, 30):
        assert detector.observe("acme", MONDAY + hour * HOUR, f"more {hour}", 0.9) is None
        assert detector.observe("acme", MONDAY + hour * HOUR, f"good {hour}", 0.1) is None
    assert headlines(alert)[4:] == [f"more {hour}" for hour in range(1, 30)]
    assert detector.alerts == [alert]


def test_half_as_much_again_as_the_threshold_is_severe():
    detector = SurgeDetector(cusum())
    alert = bad_stories(detector, 5)[0]
    assert alert.severity == "raised"  # 5 log 8 = 10.4
    bad_stories(detector, 1)
    assert alert.severity == "severe"  # 6 log 8 = 12.5
    exact = SurgeDetector(cusum(2 * STEP))
    bad_stories(exact, 3)
    assert exact.alerts[0].severity == "severe"


def test_36_hours_after_its_last_story_an_alert_is_resolved():
    detector = SurgeDetector(cusum())
    alert = bad_stories(detector, 4)[0]
    last = MONDAY + 20 * HOUR
    bad_stories(detector, 1, last)
    detector.pass_time(last + 36 * HOUR - SECOND)
    assert (alert.state, alert.resolved) == ("open", None)
    detector.pass_time(last + 36 * HOUR)
    assert (alert.state, alert.resolved) == ("resolved", last + 36 * HOUR)


def test_good_news_resolves_nothing_before_its_time_but_moves_the_clock():
    # It was quiet for long enough at 36 hours, whoever looked when.
    detector = SurgeDetector(cusum())
    alert = bad_stories(detector, 4)[0]
    detector.observe("acme", MONDAY + 35 * HOUR, "fine", 0.0)
    assert alert.state == "open"
    detector.observe("acme", MONDAY + 37 * HOUR, "fine", 0.0)
    assert (alert.state, alert.resolved) == ("resolved", MONDAY + 36 * HOUR)


def test_an_acknowledged_alert_stays_so_until_it_is_resolved():
    detector = SurgeDetector(cusum())
    alert = bad_stories(detector, 4)[0]
    alert.state = "acknowledged"
    bad_stories(detector, 3, MONDAY + HOUR)
    detector.pass_time(MONDAY + 2 * HOUR)
    assert alert.state == "acknowledged"
    detector.pass_time(MONDAY + 48 * HOUR)
    assert alert.state == "resolved"


def test_after_an_alert_the_next_surge_starts_from_nothing():
    detector = SurgeDetector(cusum())
    bad_stories(detector, 40)
    later = MONDAY + 36 * HOUR
    assert bad_stories(detector, 3, later) == []
    second = bad_stories(detector, 1, later)[0]
    assert detector.alerts[1:] == [second]
    assert (second.number, len(second.causes)) == (2, 4)


def test_a_surge_does_not_become_the_new_normal():
    detector = SurgeDetector(cusum())
    bad_stories(detector, 40)  # the alert opens at the fourth: 4 + 4 stories are known by then, and no more are learnt
    later = MONDAY + 36 * HOUR
    second = bad_stories(detector, 4, later)[0]
    assert second.usual_rate == pytest.approx(8 / WEEKS_4)
    detector.pass_time(later + 36 * HOUR)
    third = bad_stories(detector, 4, later + 36 * HOUR + WEEKS_4 * HOUR)[0]
    assert third.usual_rate == pytest.approx(12 * exp(-1) / WEEKS_4)


def test_each_company_has_a_count_of_its_own():
    detector = SurgeDetector(cusum())
    for number in range(3):
        for company in ("acme", "other"):
            assert detector.observe(company, MONDAY, f"bad {number}", 1.0) is None
    assert [alert.company for alert in bad_stories(detector, 1, company="other")] == ["other"]
    assert [alert.company for alert in bad_stories(detector, 1)] == ["acme"]
    assert [alert.number for alert in detector.alerts] == [1, 2]
    detector.pass_time(MONDAY + 36 * HOUR)
    assert {alert.state for alert in detector.alerts} == {"resolved"}


def test_a_late_story_of_days_before_a_surge_changes_nothing_but_what_is_usual():
    # Five bad stories, then one dated three days earlier, then more.
    detector = SurgeDetector(cusum())
    (alert,) = bad_stories(detector, 5)
    assert detector.observe("acme", MONDAY - timedelta(days=3), "late", 1.0) is None
    bad_stories(detector, 1, MONDAY + HOUR)
    assert detector.alerts == [alert]
    assert (alert.state, alert.hours, alert.opened) == ("open", 1.0, MONDAY)
    assert "late" not in headlines(alert)
    # The alert opens at the fourth story of the moment; the late one, which faded for 72 hours, raised what is usual.
    assert alert.usual_rate == pytest.approx(5 * exp(-72 / WEEKS_4) / (WEEKS_4))


def test_a_late_story_of_the_surge_joins_it_where_it_belongs():
    detector = SurgeDetector(cusum())
    (alert,) = bad_stories(detector, 4, MONDAY + 2 * HOUR)
    detector.observe("acme", MONDAY + HOUR, "late", 1.0)
    assert headlines(alert) == ["late", "bad 0", "bad 1", "bad 2", "bad 3"]
    assert (alert.opened, alert.hours, alert.state) == (MONDAY + 2 * HOUR, 1.0, "open")


def test_late_stories_may_make_a_surge_begin_earlier_and_open_a_late_alert():
    detector = SurgeDetector(cusum())
    (alert,) = bad_stories(detector, 4, MONDAY + 2 * HOUR)
    bad_stories(detector, 4)
    assert detector.alerts == [alert]
    assert (alert.opened, alert.key) == (MONDAY, f"acme@{(MONDAY + 2 * HOUR).isoformat()}")
    (late,) = bad_stories(detector, 4, MONDAY - timedelta(weeks=1))
    assert (late.opened, late.state, late.resolved) == (
        MONDAY - timedelta(weeks=1),
        "resolved",
        MONDAY - timedelta(weeks=1) + 36 * HOUR,
    )
    assert alert.state == "open"


def test_an_alert_that_was_resolved_before_late_news_of_its_surge_came_is_open_again():
    detector = SurgeDetector(cusum())
    (alert,) = bad_stories(detector, 4)
    detector.pass_time(MONDAY + 40 * HOUR)
    assert alert.state == "resolved"
    assert detector.observe("acme", MONDAY + 30 * HOUR, "late", 1.0) is None
    assert (alert.state, alert.resolved) == ("open", None)
    detector.pass_time(MONDAY + 66 * HOUR)
    assert (alert.state, alert.resolved) == ("resolved", MONDAY + 66 * HOUR)


def test_what_was_told_stays_told_though_a_late_story_joins_two_surges():
    detector = SurgeDetector(cusum())
    (first,) = bad_stories(detector, 4)
    (second,) = bad_stories(detector, 4, MONDAY + 40 * HOUR)
    detector.observe("acme", MONDAY + 20 * HOUR, "between", 1.0)
    assert len(headlines(first)) == 9
    assert (len(headlines(second)), second.opened) == (4, MONDAY + 40 * HOUR)
    assert detector.alerts == [first, second]


def test_a_story_that_is_taken_back_leaves_the_surge_but_not_the_alert_that_told_of_it():
    detector = SurgeDetector(cusum())
    for number in range(5):
        detector.observe("acme", MONDAY + number * HOUR, "h", 1.0, str(number))
    (alert,) = detector.alerts
    detector.withdraw("acme", MONDAY, "0")
    assert [cause.key for cause in alert.causes] == ["1", "2", "3", "4"]
    assert alert.opened == MONDAY + 4 * HOUR
    detector.withdraw("acme", MONDAY + HOUR, "1")  # three are no surge
    assert detector.alerts == [alert]
    assert [cause.key for cause in alert.causes] == ["1", "2", "3", "4"]
    detector.pass_time(MONDAY + 40 * HOUR)
    assert alert.state == "resolved"


def test_a_story_that_was_none_of_the_bad_ones_is_taken_back_without_a_trace():
    detector = SurgeDetector(cusum())
    (alert,) = bad_stories(detector, 5)
    detector.observe("acme", MONDAY + HOUR, "fine", 0.0, "fine")
    detector.withdraw("acme", MONDAY + HOUR, "fine")
    assert headlines(alert) == ["bad 0", "bad 1", "bad 2", "bad 3", "bad 4"]


def test_what_was_never_observed_cannot_be_taken_back():
    detector = SurgeDetector(cusum())
    (alert,) = bad_stories(detector, 4)
    detector.withdraw("acme", MONDAY + HOUR, "unknown")
    bad_stories(detector, 1, MONDAY + 2 * HOUR)
    assert headlines(alert) == ["bad 0", "bad 1", "bad 2", "bad 3", "bad 0"]


def test_an_alert_that_was_quiet_but_for_a_story_that_is_taken_back_is_resolved():
    detector = SurgeDetector(cusum())
    (alert,) = bad_stories(detector, 4)
    detector.observe("acme", MONDAY + 20 * HOUR, "a copy", 1.0, "copy")
    detector.pass_time(MONDAY + 40 * HOUR)
    assert alert.state == "open"
    detector.withdraw("acme", MONDAY + 20 * HOUR, "copy")
    assert (alert.state, alert.resolved) == ("resolved", MONDAY + 36 * HOUR)


def test_a_surge_that_falls_in_two_is_told_by_its_alert_and_a_new_one_under_a_key_of_its_own():
    detector = SurgeDetector(cusum())
    (alert,) = bad_stories(detector, 4, MONDAY + 40 * HOUR)
    detector.observe("acme", MONDAY + 20 * HOUR, "between", 1.0, "between")
    bad_stories(detector, 4)
    assert (len(alert.causes), alert.opened) == (9, MONDAY)
    detector.withdraw("acme", MONDAY + 20 * HOUR, "between")
    first, second = detector.alerts
    assert first is alert
    assert [(each.opened, len(each.causes)) for each in (first, second)] == [(MONDAY, 4), (MONDAY + 40 * HOUR, 4)]
    assert (first.key, second.key) == (f"acme@{second.opened.isoformat()}", f"acme@{second.opened.isoformat()}+")


def test_a_clock_that_is_set_back_opens_nothing_again():
    detector = SurgeDetector(cusum())
    (alert,) = bad_stories(detector, 4)
    detector.pass_time(MONDAY + 80 * HOUR)
    detector.pass_time(MONDAY)
    bad_stories(detector, 1, MONDAY + HOUR)
    assert (alert.state, alert.resolved) == ("resolved", MONDAY + 37 * HOUR)


def test_an_alert_knows_after_how_many_stories_it_last_became_another_one():
    detector = SurgeDetector(cusum())
    detector.observe("acme", MONDAY, "fine", 0.0)
    (first,) = bad_stories(detector, 4)
    assert first.changed == 5
    detector.observe("acme", MONDAY, "a copy", 1.0, "copy")
    assert first.changed == 6
    (second,) = bad_stories(detector, 4, MONDAY + 40 * HOUR)
    bad_stories(detector, 1, MONDAY + 39 * HOUR)  # it comes late, and all is read again
    assert (first.changed, second.changed) == (6, 11)
    detector.withdraw("acme", MONDAY, "copy")
    detector.withdraw("acme", MONDAY + 39 * HOUR, "")
    assert (first.changed, second.changed) == (12, 13)


@pytest.mark.parametrize("negative", [0.0, 1.0])
def test_a_company_is_watched_from_its_earliest_story_on_whichever_came_first(negative):
    detector, in_order = SurgeDetector(cusum()), SurgeDetector(cusum())
    earliest, rest = MONDAY - timedelta(weeks=4), MONDAY - timedelta(weeks=1)
    for each, times in ((detector, (rest, earliest)), (in_order, (earliest, rest))):
        for time in times:
            each.observe("acme", time, "some news", negative if time == earliest else 0.0)
    (alert,), (expected,) = bad_stories(detector, 4), bad_stories(in_order, 4)
    assert alert.usual_rate == expected.usual_rate == pytest.approx((4 + negative) * exp(-1) / WEEKS_4)


def test_a_story_before_a_companys_first_makes_it_one_that_was_watched_for_longer():
    detector = SurgeDetector(cusum())
    (alert,) = bad_stories(detector, 4)
    detector.observe("acme", MONDAY - timedelta(weeks=4) * log(2), "fine", 0.0)
    assert alert.usual_rate == pytest.approx(2 / WEEKS_4)


def test_stories_of_one_moment_stand_in_the_order_of_their_keys():
    detectors = [SurgeDetector(cusum(2.5 * STEP)), SurgeDetector(cusum(2.5 * STEP))]
    for detector, keys in zip(detectors, ("abc", "cab"), strict=True):
        for key in keys:
            detector.observe("acme", MONDAY, key, {"a": 1.0, "b": 0.6, "c": 0.9}[key], key)
    assert [headlines(alert) for detector in detectors for alert in detector.alerts] == [["a", "b", "c"]] * 2
