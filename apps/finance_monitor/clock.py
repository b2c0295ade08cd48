"""Event time and arrival time: the one place that knows what time it is, and which news may say so.

An item has a `time`, at which its feed says that it was published, and an `arrived`, the moment at which it reached the
store. Both are aware and kept in UTC; days are days in UTC. A feed may be late, out of order, hours behind, or wrong.

- The present is the wall clock's; in a replay, the replay's.
- An item that is dated behind the moment of its arrival is *ahead*: it is kept, read, and said to be ahead, but it
  counts for nothing, and moves no clock, until its time has come.
- The monitor's clock (`Clock.now`) is event time. News move it, and between news it runs on with the wall clock, as far
  behind it as the most punctual item was when it came. So old news that are loaded today are not past at once, a feed
  that falls silent does not stop the clock, and a server that was down does not lose the hours. It never turns back.
- An item is *late* if the clock has passed its time when it comes. There is no bound behind which it is dropped: it is
  counted in the window that it belongs to, see `apps.finance_monitor.alerts`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]", re.ASCII)


def _written_out(value: Any) -> Any:
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE.match(value)):
        return value
    raise ValueError("write the time as a text such as 2025-03-03T09:00:00Z; digits alone may mean anything")


# Sums with the years 1 and 9999 leave the calendar.
NewsTime = Annotated[
    AwareDatetime,
    Field(ge=datetime(1900, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC)),
    BeforeValidator(_written_out),
]


def wall_clock() -> datetime:
    """The present of a live monitor."""
    return datetime.now(UTC)


def is_ahead(time: datetime, present: datetime) -> bool:
    """Whether something that is dated so has not happened yet."""
    return time > present


class Clock:
    """Event time as a monitor has heard of it, see the module.

    Args:
        present: Function that returns the present.

    Attributes:
        now: Moment that the clock shows; None before the first item.
        newest: Time of the newest item that counts; None before the first.
    """

    def __init__(self, present: Callable[[], datetime] = wall_clock) -> None:
        self.present = present
        self.now: datetime | None = None
        self.newest: datetime | None = None
        self._behind: timedelta | None = None

    def hear(self, time: datetime, arrived: datetime) -> None:
        """Take note of an item that counts."""
        self.lag(max(arrived - time, timedelta(0)))
        self.newest = time if self.newest is None else max(self.newest, time)
        self.reach(time)

    def lag(self, behind: timedelta) -> None:
        """Take note of how long an item took to come."""
        self._behind = behind if self._behind is None else min(self._behind, behind)

    def run(self) -> None:
        """Catch up with the wall clock."""
        if self._behind is not None:
            self.reach(self.present() - self._behind)

    def reach(self, moment: datetime) -> None:
        """Show at least this moment."""
        self.now = moment if self.now is None else max(self.now, moment)
