"""The half of a service that computes: what many users ask for is worked off together, by its models."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from core.util.batching import Batch, Batcher

Work = Callable[[list[Any]], Sequence[Any]]
# What an engine can do, by name: each maps the items of a batch to their results, in order.
Works = Mapping[str, Work]


class Engine:
    """Takes one item at a time, from many threads and coroutines, and works off those that wait together.

    Args:
        works: what it can do; one thread calls each.
        report: told the name of the work and the figures of each batch, see `Batcher`.
        release: called when the last batch is done, at the end.
    """

    def __init__(
        self,
        works: Works,
        report: Callable[[str, Batch], None] = lambda name, batch: None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self._batchers = {name: Batcher(work, name=name, report=partial(report, name)) for name, work in works.items()}
        self._release = release

    def ask(self, name: str, item: Any) -> Any:
        """The result of a work for one item; blocks until it is there.

        Raises:
            BusyError: too many items wait already, or the engine is closed.
            Exception: what the work raises for this item.
        """
        return self._batchers[name].submit(item)

    async def answer(self, name: str, item: Any) -> Any:
        """`ask` as a coroutine."""
        return await self._batchers[name].answer(item)

    def close(self) -> None:
        """Take nothing more, and return when everything taken is answered."""
        for batcher in self._batchers.values():
            batcher.close()
        self._release()
