"""Connections to PostgreSQL that do not wait for ever for a server that has gone silent.

A server that is stopped, swapped out or cut off keeps its connections open and says nothing: neither its own
`statement_timeout` nor TCP ends that.
"""

import time
from collections.abc import Generator
from typing import Any

import psycopg
from sqlalchemy import Engine, event

from core.platform.timeouts import Patience


def hold_to(engine: Engine, patience: Patience) -> None:
    """Let an engine make connections that are as patient as that."""

    class Connection(psycopg.Connection[Any]):
        """Looks at the clock whenever psycopg does, some ten times a second."""

        def wait(self, gen: Generator[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:
            return super().wait(self._bounded(gen), *args, **kwargs)

        def _bounded(self, steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
            heard = time.monotonic()
            try:
                wanted = next(steps)
                while True:
                    ready = yield wanted
                    if ready:
                        heard = time.monotonic()
                    elif patience.answer is not None and time.monotonic() - heard > patience.answer:
                        self.pgconn.finish()
                        raise psycopg.OperationalError(f"it has been silent for {patience.answer:g} seconds")
                    wanted = steps.send(ready)
            except StopIteration as end:
                return end.value

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, record: Any, args: Any, options: Any) -> psycopg.Connection[Any]:
        del dialect, record
        connection = Connection.connect(*args, **options)
        if patience.statement is not None:
            connection.execute(f"SET statement_timeout = {round(patience.statement * 1000)}")
            connection.commit()
        return connection
