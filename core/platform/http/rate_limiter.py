"""Counting within a moving window, on a machine whose clock may be set back."""

import time

from limits import RateLimitItem
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

_TOLERANCE_SECONDS = 1.0  # threads do not look at the clock in the order in which they go on


class RateLimiter(MovingWindowRateLimiter):
    """Counts in this process's memory, by the system's clock, as `limits` does.

    What was counted before the clock was set back lies in the future, and would keep everybody out until the clock is
    there again. So counting begins anew then.
    """

    def __init__(self) -> None:
        super().__init__(MemoryStorage())
        self._latest = 0.0

    def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Count a hit; False where there were too many."""
        now = time.time()
        if now < self._latest - _TOLERANCE_SECONDS:
            self.storage.reset()
        self._latest = now
        return super().hit(item, *identifiers, cost=cost)
