"""What time it is: of an item, of its arrival, and of a monitor that hears of items and of nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from apps.finance_monitor.clock import Clock, NewsTime, is_ahead, wall_clock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TIMES = TypeAdapter(NewsTime)


@pytest.mark.parametrize(
    "text",
    [
        "2025-03-03T09:00:00Z", "2025-03-03 09:00:00+00:00", "2025-03-03t10:00:00+01:00", "2025-03-03T09:00Z",
        "2025-03-03T04:00:00.000-05:00",
    ],
)  # fmt: skip
def test_a_time_that_is_written_out_with_its_zone_is_one_moment(text):
    assert TIMES.validate_python(text) == datetime(2025, 3, 3, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "digits",
    [
        "20250303", "1740992400", " 1740992400 ", "1740992400.5", "1.7e9", "-1", "+5", "20250303T090000Z", "2025-3-3",
        "2025-W10-1T09:00:00Z", "03/03/2025", "\uff11740992400", "tomorrow", "", b"20250303", 20250303, 1.7e9, True,
    ],
)  # fmt: skip
def test_digits_that_may_mean_anything_are_refused_with_a_reason(digits):
    with pytest.raises(ValidationError, match="write the time as a text such as 2025-03-03T09:00:00Z"):
        TIMES.validate_python(digits)


@pytest.mark.parametrize("text", ["2025-03-03T09:00:00", "2025-02-30T09:00:00Z", "1899-12-31T00:00:00Z", "2025-03-03T"])
def test_a_time_of_no_zone_or_no_calendar_is_refused(text):
    with pytest.raises(ValidationError):
        TIMES.validate_python(text)


def test_only_what_lies_behind_the_present_is_ahead():
    assert is_ahead(NOON + timedelta(microseconds=1), NOON)
    assert not is_ahead(NOON, NOON)
    assert not is_ahead(wall_clock(), wall_clock())


def test_news_move_the_clock_and_late_news_do_not_turn_it_back():
    clock = Clock(lambda: NOON)
    assert (clock.now, clock.newest) == (None, None)
    clock.run()
    assert clock.now is None
    clock.hear(NOON - 5 * HOUR, NOON)
    clock.hear(NOON - 9 * HOUR, NOON)
    assert clock.now == clock.newest == NOON - 5 * HOUR


def test_between_news_it_runs_on_as_far_behind_the_wall_clock_as_the_most_punctual_item_was():
    present = NOON
    clock = Clock(lambda: present)
    clock.hear(NOON - 50 * HOUR, NOON)
    clock.hear(NOON - 60 * HOUR, NOON)
    present = NOON + 3 * HOUR
    clock.run()
    assert (clock.now, clock.newest) == (NOON - 47 * HOUR, NOON - 50 * HOUR)
    clock.hear(present, present - HOUR)  # it was ahead, and has become due
    present += 2 * HOUR
    clock.run()
    assert clock.now == present


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1), st.integers(0, 500))
def test_it_never_turns_back_nor_passes_the_wall_clock(arrivals, passed):
    present = NOON
    clock, shown = Clock(lambda: present), []
    for waited, late in arrivals:
        present += waited * HOUR
        clock.run()
        clock.hear(present - late * HOUR, present)
        shown.append(clock.now)
        assert clock.now <= present
    present += passed * HOUR
    clock.run()
    assert [*shown, clock.now] == sorted([*shown, clock.now])
    # However silent the feed was: so much time has passed as has passed since its last item.
    assert clock.now >= present - min(late for _, late in arrivals) * HOUR
