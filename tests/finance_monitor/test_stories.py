"""Copies of one report are one story, within three days and within a company."""

from datetime import UTC, datetime, timedelta
from math import sqrt

import numpy as np

from apps.finance_monitor.stories import StoryFolder

MONDAY = datetime(2025, 3, 3, 9, tzinfo=UTC)
FIRST, OTHER = np.eye(2, dtype=np.float32)


def like(cosine: float) -> np.ndarray:
    """A unit vector of that cosine with `FIRST`."""
    return np.array([cosine, sqrt(1 - cosine**2)], np.float32)


def test_stories_are_numbered_in_order_whichever_company_they_are_of():
    folder = StoryFolder()
    assert folder.fold("acme", MONDAY, FIRST) == (0, True)
    assert folder.fold("acme", MONDAY, OTHER) == (1, True)
    assert folder.fold("other", MONDAY, FIRST) == (2, True)
    assert folder.fold("acme", MONDAY, FIRST) == (0, False)
    assert folder.fold("other", MONDAY, FIRST) == (2, False)


def test_a_cosine_of_eight_tenths_makes_two_headlines_one_story():
    for cosine, is_new in ((0.81, False), (0.79, True)):
        folder = StoryFolder()
        folder.fold("acme", MONDAY, FIRST)
        assert folder.fold("acme", MONDAY, like(cosine)) == (int(is_new), is_new)


def test_the_threshold_itself_is_enough():
    folder = StoryFolder(threshold=0.5)
    folder.fold("acme", MONDAY, FIRST)
    assert folder.fold("acme", MONDAY, like(0.5)) == (0, False)


def test_the_nearest_headline_decides_and_not_the_latest():
    folder = StoryFolder()
    folder.fold("acme", MONDAY, FIRST)
    folder.fold("acme", MONDAY, like(0.7))
    assert folder.fold("acme", MONDAY, like(0.99)) == (0, False)


def test_a_story_goes_on_as_long_as_no_72_hours_pass_without_it():
    for hours in (72, -72):
        folder = StoryFolder()
        folder.fold("acme", MONDAY, FIRST)
        again = MONDAY + timedelta(hours=hours)
        assert folder.fold("acme", again, FIRST) == (0, False)
        assert folder.fold("acme", again + timedelta(hours=hours), FIRST) == (0, False)
        much_later = again + timedelta(hours=2 * hours) + timedelta(seconds=hours)
        assert folder.fold("acme", much_later, FIRST) == (1, True)


def test_a_copy_is_found_behind_older_and_nearer_ones():
    folder = StoryFolder()
    for week in range(19):
        folder.fold("acme", MONDAY + timedelta(weeks=week), FIRST)
    latest = MONDAY + timedelta(weeks=19)
    story, _ = folder.fold("acme", latest, like(0.9))
    assert folder.fold("acme", latest, FIRST) == (story, False)


def test_copies_that_differ_in_a_word_are_one_story():
    generator = np.random.default_rng(0)

    def unit(vector: np.ndarray) -> np.ndarray:
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    report = unit(generator.normal(size=32))
    folder = StoryFolder()
    folder.fold("acme", MONDAY, report)
    for hour in range(30):
        copy = unit(report + 0.02 * generator.normal(size=32))
        assert folder.fold("acme", MONDAY + timedelta(hours=hour), copy) == (0, False)
