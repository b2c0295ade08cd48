"""Copies of one report are one story, within three days and within a company, whichever arrives first."""

from datetime import UTC, datetime, timedelta
from math import sqrt

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.finance_monitor.stories import StoryFolder

MONDAY = datetime(2025, 3, 3, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRST, OTHER = np.eye(2, dtype=np.float32)


def like(cosine: float) -> np.ndarray:
    """A unit vector of that cosine with `FIRST`."""
    return np.array([cosine, sqrt(1 - cosine**2)], np.float32)


class Folded:
    """A folder whose headlines are vectors; what it says of one after the other."""

    def __init__(self, threshold: float = 0.8) -> None:
        self.vectors: list[np.ndarray] = []
        self.embedded: list[str] = []
        self.folder = StoryFolder(self.embed, threshold, present=lambda: MONDAY + 400 * HOUR)

    def embed(self, texts):
        self.embedded += texts
        return [self.vectors[int(text)] for text in texts]

    def add(self, vector: np.ndarray, time: datetime = MONDAY, company: str = "acme", key: str = ""):
        self.vectors.append(vector)
        number = len(self.vectors) - 1
        return self.folder.fold(number, company, time, key or f"{number:03}", str(number))


def test_a_like_headline_of_the_same_company_is_a_copy():
    folded = Folded()
    assert folded.add(FIRST) == ([], [])
    assert folded.add(OTHER) == ([], [])
    assert folded.add(FIRST, company="other") == ([], [])
    assert folded.add(FIRST) == ([0], [])
    assert folded.add(FIRST, company="other") == ([2], [])
    assert folded.add(FIRST) == ([0, 3], [])


def test_a_cosine_of_eight_tenths_makes_two_headlines_one_story():
    for cosine, copied in ((0.81, [0]), (0.79, [])):
        folded = Folded()
        folded.add(FIRST)
        assert folded.add(like(cosine)) == (copied, [])


def test_the_threshold_itself_is_enough():
    folded = Folded(threshold=0.5)
    folded.add(FIRST)
    assert folded.add(like(0.5)) == ([0], [])


def test_a_story_goes_on_as_long_as_no_72_hours_pass_without_it():
    folded = Folded()
    folded.add(FIRST)
    assert folded.add(FIRST, MONDAY + 72 * HOUR) == ([0], [])
    assert folded.add(FIRST, MONDAY + 144 * HOUR) == ([1], [])
    assert folded.add(FIRST, MONDAY + 216 * HOUR + timedelta(seconds=1)) == ([], [])


def test_what_arrives_late_makes_copies_of_those_that_were_published_behind_it():
    folded = Folded()
    folded.add(FIRST)
    folded.add(FIRST, MONDAY + HOUR)
    folded.add(OTHER, MONDAY + HOUR)
    assert folded.add(FIRST, MONDAY - 71.6 * HOUR) == ([], [0])
    assert folded.add(FIRST, MONDAY + HOUR / 2) == ([0], [1])


def test_the_key_orders_headlines_of_one_moment():
    folded = Folded()
    folded.add(FIRST, key="b")
    assert folded.add(FIRST, key="a") == ([], [0])
    assert folded.add(FIRST, key="c") == ([1, 0], [])


def test_a_headline_that_was_read_before_is_compared_with_new_ones():
    folded = Folded()
    folded.vectors.append(FIRST)
    folded.folder.add(0, "acme", MONDAY, "000", "0")
    assert folded.add(FIRST, MONDAY + HOUR) == ([0], [])


def test_headlines_of_one_moment_that_were_read_before_stand_in_the_order_of_their_keys():
    folded = Folded()
    for key in ("c", "a"):
        folded.vectors.append(FIRST)
        folded.folder.add(len(folded.vectors) - 1, "acme", MONDAY, key, str(len(folded.vectors) - 1))
    assert folded.add(FIRST, key="b") == ([1], [0])


@given(
    st.permutations(range(12)), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3)), min_size=12, max_size=12)
)
def test_what_is_a_copy_does_not_depend_on_the_order_of_arrival(order, headlines):
    found = []
    for some in (order, range(12)):
        folded, numbers, copies = Folded(), [], set()
        for at in some:
            hours, kind = headlines[at]
            earlier, later = folded.add(like(kind / 3), MONDAY + hours * HOUR, key=f"{at:02}")
            numbers.append(at)
            copies |= {at} if earlier else set()
            copies |= {numbers[number] for number in later}
        found.append(copies)
    assert found[0] == found[1]


def test_copies_that_differ_in_a_word_are_one_story():
    generator = np.random.default_rng(0)

    def unit(vector: np.ndarray) -> np.ndarray:
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    report, folded = unit(generator.normal(size=32)), Folded()
    folded.add(report)
    for hour in range(30):
        earlier, _ = folded.add(unit(report + 0.02 * generator.normal(size=32)), MONDAY + hour * HOUR)
        assert 0 in earlier


def test_vectors_are_kept_of_three_days_alone_and_a_late_copy_is_told_all_the_same():
    folded = Folded()
    for hour in range(0, 400, 20):
        folded.add(FIRST if hour == 0 else OTHER, MONDAY + hour * HOUR)
    assert folded.add(FIRST, MONDAY + HOUR)[0] == [0]
    kept = [headline.time for headline in folded.folder._companies["acme"] if headline.vector is not None]
    assert kept == [MONDAY + hour * HOUR for hour in range(320, 400, 20)]


def test_a_headline_of_the_future_has_those_of_today_embedded_no_more_than_once():
    folded = Folded()
    folded.add(OTHER, MONDAY + 10_000 * HOUR)
    for hour in range(350, 360):
        folded.add(FIRST, MONDAY + hour * HOUR)
    assert len(folded.embedded) == len(set(folded.embedded))
    assert len(folded.embedded) == 10
