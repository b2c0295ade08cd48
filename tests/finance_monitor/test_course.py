"""What is known at a story of bad news. The numbers are worked out by hand from the module's description."""

from datetime import UTC, datetime, timedelta
from math import exp, log

import numpy as np
import pytest

from apps.finance_monitor.alerting.course import FEATURES, Course, Story
from apps.finance_monitor.alerting.rewards import REWARD, Truth

MONDAY = datetime(2025, 3, 3, 9, tzinfo=UTC)
WEEKS_4 = 28 * 24  # hours


def told(hour: float, headline: str, negative: float = 0.9, topic: str = "legal") -> Story:
    return Story(MONDAY + timedelta(hours=hour), headline, negative, str(hour), topic)


def course_of(stories: list[Story]) -> Course:
    course = Course(stories[0].time)
    for story in stories:
        course.take(story)
    return course


def shown(stories: list[Story]) -> dict[str, float]:
    return dict(zip(FEATURES, course_of(stories).state(), strict=True))


def test_a_state_counts_stories_words_and_topics():
    stories = [
        told(0, "Regulator sues maker"),
        told(60, "Plant burns down", 0.6, "operations"),
        told(70, "Denial by chairman", 0.2),
        told(80, "Regulator sues again"),
    ]
    state = shown(stories)
    assert (state["bad_6h"], state["bad_24h"], state["bad_72h"]) == (1, 2, 2)  # the first is 80 hours old
    assert (state["other_6h"], state["other_24h"]) == (0, 1)
    assert state["likely_24h"] == pytest.approx(0.6 + 0.2 + 0.9)
    assert (state["topics"], state["same_topic"], state["hours_since_last"]) == (2, 1, 20)
    assert state["fresh"] == 1.0
    told_again = shown([*stories, told(81, "Regulator sues, burns")])
    assert told_again["fresh"] == 0.0
    assert told_again["fresh_6h"] == 1.0  # two stories, one of them in old words
    assert shown(stories)["statistic"] == course_of(stories).statistic


def test_a_state_says_all_that_is_known_in_the_order_of_its_features():
    stories = [
        told(0, "Plant burns down", 0.8, "operations"),
        told(6, "Chairman denies fire", 0.4, "management"),
        told(24, "Plant burns again", 0.6),
        told(30, "Court hears owner of plant", 0.5),
    ]
    # Four stories in four weeks are what is usual at first. They fade, and each bad story counts as it is likely; hours
    # that pass make up for those that fade.
    step, an_hour = (
        log(8),
        7 / WEEKS_4,
    )  # what a story raises the statistic by; what an hour lowers it by, a usual story
    usual = (4 + 0.8) * exp(-24 / WEEKS_4)
    statistic = 0.8 * step - an_hour * usual * 24 + 0.6 * step
    usual = (usual + 0.6) * exp(-6 / WEEKS_4)
    statistic += 0.5 * step - an_hour * usual * 6
    usual += 0.5
    new = 3 / 4  # court, hears and owner, but not plant
    expected = {
        "statistic": statistic,
        "usual_a_week": usual / 4,
        "negative": 0.5,
        "bad_6h": 2,  # six hours ago is within six hours
        "bad_24h": 2,
        "bad_72h": 3,
        "likely_6h": 0.6 + 0.5,
        "likely_24h": 0.4 + 0.6 + 0.5,
        "likely_72h": 0.8 + 0.4 + 0.6 + 0.5,
        "fresh_6h": 1 / 3 + new,  # of plant, burns and again, the last alone is new
        "fresh_24h": 1 / 3 + new,
        "fresh_72h": 1 + 1 / 3 + new,
        "other_6h": 0,
        "other_24h": 1,
        "other_72h": 1,
        "topics": 2,
        "same_topic": 2,
        "fresh": new,
        "hours_since_last": 6,
        "hours_since_first": 30,
    }
    assert shown(stories) == pytest.approx(expected)


def test_the_first_story_has_none_before_it():
    state = shown([told(0, "Plant burns down")])
    assert (state["hours_since_last"], state["hours_since_first"]) == (72, 0)


def test_what_has_no_words_of_four_letters_is_told_for_the_first_time():
    assert shown([told(0, "厂房起火"), told(1, "厂房起火")])["fresh"] == 1.0


def test_72_hours_later_a_story_is_still_remembered_and_after_that_no_more():
    assert shown([told(0, "Plant burns"), told(72, "Court rules")])["bad_72h"] == 2
    assert shown([told(0, "Plant burns"), told(72.001, "Court rules")])["bad_72h"] == 1


def test_an_alert_is_paid_by_how_early_it_is_and_a_false_one_costs_half():
    truths = [Truth("surge"), Truth("surge", 24.0), Truth("told surge"), Truth("usual"), Truth("usual", missed=True)]
    table = REWARD.table(None, [False, True], truths)
    assert table == pytest.approx(np.array([[0, 1], [0, 0.52], [0, 0], [0, -0.5], [-1, -1.5]]))
