"""Traces that deleted rows leave in SQLite's file, and how they go."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from sqlite3 import DatabaseError

from sqlalchemy import Engine

from core.platform import timeouts
from core.util.batching import Batcher
from core.util.errors import UnavailableError

_PATIENCE_SECONDS = 10
_PAUSES = 4  # times as long as the last one took


class Scrubber:
    """Writes SQLite's file anew, without what deleted rows leave in it and in its write-ahead log.

    `PRAGMA secure_delete` is not enough: pages keep stale copies of rows that once moved to make room for others.
    PostgreSQL's own vacuum does that by itself.

    Args:
        engine: Engine of the database.
        in_turn: Function that makes the context in which nobody else of this process writes.
        out: Function that turns a failure into the error of a store that does not answer.

    Attributes:
        has_traces: Whether something was erased whose traces may still stand in the file.
    """

    def __init__(
        self,
        engine: Engine,
        in_turn: Callable[[], AbstractContextManager[None]],
        out: Callable[[Exception], UnavailableError],
    ) -> None:
        self._engine, self._in_turn, self._out = engine, in_turn, out
        self._batcher: Batcher[None, None] = Batcher(self._for_all, delay=0.0, name="scrubs")
        self._last, self._took, self._closing = 0.0, 0.0, threading.Event()
        self.has_traces = False

    def scrub(self) -> None:
        """Let the traces go now.

        Raises:
            UnavailableError: The disk is full, or somebody reads an earlier moment of the store for so long.
        """
        self.has_traces = False
        if self._engine.dialect.name == "sqlite":
            try:
                self._write_anew()
            except BaseException:
                self.has_traces = True
                raise

    async def soon(self) -> None:
        """Let them go with those of others who wait; a large file takes a while longer than this does."""
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._batcher.answer(None)), _PATIENCE_SECONDS)

    def close(self) -> None:
        """Finish what was begun."""
        self._closing.set()
        self._batcher.close()

    def _for_all(self, waiting: list[None]) -> list[None]:
        """Scrub for all who wait; however many ask, most of the time is left to those who write."""
        self._closing.wait(max(0.0, self._last + _PAUSES * self._took - time.monotonic()))
        begun = time.monotonic()
        with suppress(UnavailableError):  # the traces stay known, and whoever keeps house tries again
            self.scrub()
        self._last = time.monotonic()
        self._took = self._last - begun
        return waiting

    def _write_anew(self) -> None:
        with self._in_turn(), closing(self._engine.raw_connection()) as connection:
            try:
                connection.execute("VACUUM")
                connection.execute("PRAGMA busy_timeout=1000")  # others cannot write while it waits for readers
                (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                connection.execute(f"PRAGMA busy_timeout={timeouts.WRITER_SECONDS * 1000}")
            except DatabaseError as error:
                raise self._out(error) from error
        if is_busy:
            raise UnavailableError(
                "the rows are deleted; their traces leave the file when whoever reads it (a backup?) has ended: "
                "run `steer store purge` then"
            )
