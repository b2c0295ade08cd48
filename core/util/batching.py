"""Requests of many callers, processed in batches by one thread."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from core.util.errors import UnavailableError

Item = TypeVar("Item")
Result = TypeVar("Result")


class BusyError(UnavailableError):
    """More requests wait than can be answered soon, or the service is stopping."""


@dataclass(frozen=True)
class Batch:
    """Figures of a batch that has been processed.

    Attributes:
        size: Number of requests in it.
        waited: Seconds from the arrival of the first of them to the beginning of the work.
        worked: Seconds of work.
        queue: Number of requests that wait for the next batch.
    """

    size: int
    waited: float
    worked: float
    queue: int


@dataclass
class _Request(Generic[Item, Result]):
    item: Item
    answer: Future[Result] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


class Batcher(Generic[Item, Result]):
    """Collects what many threads and coroutines ask for and does it in one call.

    The next batch gathers while one is processed. Waiting on purpose pays in one case only: those who were just
    answered may be about to ask again. So a batch waits until as many requests are there as there were callers a moment
    ago, and never longer than `delay` after the last batch: a caller who is alone is served at once.

    Args:
        run_batch: Function that maps items to their results, in order; only one thread calls it, so it needs no lock.
        max_size: Largest number of requests in a batch.
        delay: Seconds after a batch within which those whom it answered may join the next.
        capacity: Largest number of requests that may wait.
        name: Name of the working thread, for people.
        on_batch: Callback for the figures of each batch, on the working thread; it must not raise.
        final: Errors that fail a whole batch; after any other, each item is tried once more, alone.
    """

    def __init__(
        self,
        run_batch: Callable[[list[Item]], Sequence[Result]],
        *,
        max_size: int = 32,
        delay: float = 0.005,
        capacity: int = 1024,
        name: str = "",
        on_batch: Callable[[Batch], None] = lambda batch: None,
        final: tuple[type[Exception], ...] = (),
    ) -> None:
        self._final = final
        self._run_batch, self._on_batch = run_batch, on_batch
        self._max_size, self._delay, self._capacity = max_size, delay, capacity
        self._waiting: deque[_Request[Item, Result]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._callers, self._idle_since = 0, 0.0
        self._wanted = 1
        self._thread = threading.Thread(target=self._run, name=f"batches {name}", daemon=True)

    def submit(self, item: Item) -> Result:
        """The result for one item; blocks until it is there.

        Raises:
            BusyError: Too many requests wait already, or the batcher is closed.
            Exception: What `run_batch` raises for this item.
        """
        return self._enqueue(item).result()

    async def answer(self, item: Item) -> Result:
        """`submit` as a coroutine; whoever gives it up before its batch has begun is left out of the batch."""
        return await asyncio.wrap_future(self._enqueue(item))

    def close(self) -> None:
        """Take no more requests, and return when those taken are answered."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def _enqueue(self, item: Item) -> Future[Result]:
        request: _Request[Item, Result] = _Request(item)
        with self._changed:
            if self._closed:
                raise BusyError("The service is stopping; please try again in a moment.")
            if len(self._waiting) >= self._capacity:
                raise BusyError("Too many requests are waiting; please try again in a moment.")
            if self._thread.ident is None:
                self._thread.start()
            self._waiting.append(request)
            if len(self._waiting) >= self._wanted:  # to wake the working thread for each would slow down both
                self._changed.notify()
        return request.answer

    def _run(self) -> None:
        while taken := self._next():
            batch = [request for request in taken if request.answer.set_running_or_notify_cancel()]
            if not batch:
                continue
            begun = time.monotonic()
            self._answer(batch)
            self._idle_since = time.monotonic()
            queue = len(self._waiting)
            self._callers = len(batch) + queue
            self._on_batch(Batch(len(batch), begun - batch[0].since, self._idle_since - begun, queue))

    def _next(self) -> list[_Request[Item, Result]]:
        """The next batch; empty when the batcher is closed and done."""
        with self._changed:
            self._gather(1, None)
            timeout = max(0.0, self._idle_since + self._delay - time.monotonic())
            self._gather(min(self._callers, self._max_size), timeout)
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_size))]

    def _gather(self, wanted: int, timeout: float | None) -> None:
        self._wanted = wanted
        self._changed.wait_for(lambda: len(self._waiting) >= wanted or self._closed, timeout)

    def _answer(self, batch: list[_Request[Item, Result]]) -> None:
        try:
            results = self._run_batch([request.item for request in batch])
            answered = list(zip(batch, results, strict=True))
        except Exception as error:
            if len(batch) == 1 or isinstance(error, self._final):
                for request in batch:
                    request.answer.set_exception(error)
                return
            for request in batch:  # one bad item must not fail the others
                self._answer([request])
            return
        for request, result in answered:
            request.answer.set_result(result)
