"""The half of an app that computes: requests of many users, answered in batches by its models."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from core.platform.inference.metrics import BATCH_SECONDS, BATCH_SIZE, BATCH_WAIT, QUEUE
from core.util.batching import Batch, Batcher, BusyError

EngineT = TypeVar("EngineT")
Item = TypeVar("Item")
Result = TypeVar("Result")

# Runs the method of a name on the items of a batch.
RunBatch = Callable[[str, list[Any]], Sequence[Any]]


class Engine(Generic[EngineT]):
    """Takes one item at a time, from many threads and coroutines, and processes those that wait in one batch.

    What is asked for is a method of the app's engine class that maps the items of a batch to their results, in order:
    `await engine.answer(SupportEngine.reply, asked)`. The object itself may live in another process.

    Args:
        run_batch: Function that runs a method, given by name, on one batch; each method has one thread that calls it.
        name: Name of the app, by which metrics tell its batches apart.
        release: Callback after the last batch, at the end.
    """

    def __init__(
        self,
        run_batch: RunBatch,
        name: str = "",
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self._run_batch, self._name, self._release = run_batch, name, release
        self._batchers: dict[str, Batcher[Any, Any]] = {}
        self._lock, self._is_closed = threading.Lock(), False

    @classmethod
    def local(cls, engine: EngineT, name: str = "") -> "Engine[EngineT]":
        """The engine in this process."""
        return cls(lambda method, items: getattr(engine, method)(items), name)

    def ask(self, method: Callable[[EngineT, list[Item]], Sequence[Result]], item: Item) -> Result:
        """The method's result for one item; blocks until it is there.

        Raises:
            BusyError: Too many items wait already, or the engine is closed.
            Exception: What the method raises for this item.
        """
        result: Result = self._batcher(method.__name__).submit(item)
        return result

    async def answer(self, method: Callable[[EngineT, list[Item]], Sequence[Result]], item: Item) -> Result:
        """`ask` as a coroutine."""
        result: Result = await self._batcher(method.__name__).answer(item)
        return result

    def close(self) -> None:
        """Take nothing more, and return when everything taken is answered."""
        with self._lock:
            self._is_closed = True
        for batcher in self._batchers.values():
            batcher.close()
        self._release()

    def _batcher(self, method: str) -> Batcher[Any, Any]:
        with self._lock:
            if self._is_closed:
                raise BusyError("The service is stopping; please try again in a moment.")
            if method not in self._batchers:
                run, on_batch = partial(self._run_batch, method), partial(_note, f"{self._name}.{method}")
                self._batchers[method] = Batcher(run, name=method, on_batch=on_batch)
            return self._batchers[method]


def _note(model: str, batch: Batch) -> None:
    BATCH_SIZE.labels(model).observe(batch.size)
    BATCH_WAIT.labels(model).observe(batch.waited)
    BATCH_SECONDS.labels(model).observe(batch.worked)
    QUEUE.labels(model).set(batch.queue)
