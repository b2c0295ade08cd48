"""Counting within a moving window, on a machine whose clock may be set back."""

import threading
import time

from limits import RateLimitItem
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

_TOLERANCE_SECONDS = 1.0  # threads do not look at the clock in the order in which they go on
_FORGET_SECONDS = 60.0


class RateLimiter(MovingWindowRateLimiter):
    """Counts in this process's memory, by the system's clock, as `limits` does.

    What was counted before the clock was set back lies in the future, and would keep everybody out until the clock is
    there again. So counting begins anew then. Nor does anything stay of whoever has not come for a while, where
    `limits` keeps an empty list for every client that ever came.
    """

    storage: MemoryStorage

    def __init__(self) -> None:
        super().__init__(MemoryStorage())
        self._lock, self._latest, self._forgot = threading.Lock(), 0.0, 0.0

    def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Count a hit; False where there were too many."""
        now = time.time()
        with self._lock:
            if now < self._latest - _TOLERANCE_SECONDS:
                self.storage.reset()
                self._forgot = now
            elif now >= self._forgot + _FORGET_SECONDS:
                self._forget_idle()
                self._forgot = now
            self._latest = now
            return super().hit(item, *identifiers, cost=cost)

    def _forget_idle(self) -> None:
        for key in [key for key, hits in list(self.storage.events.items()) if not hits]:
            self.storage.clear(key)
