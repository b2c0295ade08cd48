"""Outages of the store: one line in the log when one begins, and one when it is over."""

import threading
import time

import structlog


class Outage:
    """Whether a store is out, as those who use it find.

    A command says by itself what went wrong; only servers and workers, which have set up their log, write these lines.

    Args:
        store: Address of the store without its password.
    """

    def __init__(self, store: str) -> None:
        self._store, self._lock = store, threading.Lock()
        self._since, self._writes = 0.0, False

    def begins(self, reason: str, *, writes: bool) -> None:
        """A transaction failed.

        Args:
            reason: Message of the database or its driver.
            writes: Whether it was one that writes: that it can be read again does not end such an outage.
        """
        with self._lock:
            is_new, self._writes = not self._since, self._writes or writes
            self._since = self._since or time.monotonic()
        if is_new and structlog.is_configured():
            structlog.get_logger().error("the store is out", store=self._store, reason=reason)

    def ends(self, *, writes: bool) -> None:
        """A transaction succeeded, one that writes or one that does not."""
        if not self._since or (self._writes and not writes):  # nearly always, so without the lock
            return
        with self._lock:
            since, self._since, self._writes = self._since, 0.0, False
        if since and structlog.is_configured():
            structlog.get_logger().warning(
                "the store is back", store=self._store, after=round(time.monotonic() - since, 1)
            )
