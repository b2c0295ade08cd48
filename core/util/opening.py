"""Something large that is opened beside the work, when it is first asked for."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import structlog

from core.util.errors import SteerError

T = TypeVar("T")


class Opening(Generic[T]):
    """Opens something in a thread of its own, beginning now.

    Args:
        opened: Function that opens it.
        patience: Seconds from now for which `get` waits; None for as long as it takes.
    """

    def __init__(self, opened: Callable[[], T], patience: float | None) -> None:
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="opening")
        self._future: Future[T | None] = thread.submit(_or_none, opened)
        thread.shutdown(wait=False)
        self._deadline = None if patience is None else time.monotonic() + patience

    def get(self) -> T | None:
        """What was opened; None while it is not there yet, and where it cannot be opened, as the log says."""
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        try:
            return self._future.result(left)
        except TimeoutError:
            return None


def _or_none(opened: Callable[[], T]) -> T | None:
    try:
        return opened()
    except SteerError as error:
        structlog.get_logger().error("what was asked for cannot be opened", reason=str(error))
        return None
