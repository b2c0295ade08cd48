"""What a monitor takes for the present."""

from datetime import datetime


class Clock:
    """Event time: the latest moment that a monitor has heard of, from a headline or from a replay; it never turns back.

    Attributes:
        now: That moment; None before the first.
    """

    def __init__(self) -> None:
        self.now: datetime | None = None

    def reach(self, moment: datetime) -> None:
        """Take note of a moment."""
        self.now = moment if self.now is None else max(self.now, moment)
