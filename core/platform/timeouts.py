"""Limits of waiting, in seconds; docs/operations.md tells them to operators.

A request that meets a store which has gone silent is answered before a server that is told to stop gives it up: the
longest wait for a connection and an answer is shorter than `GRACE_SECONDS`.
"""

from dataclasses import dataclass

# PostgreSQL
CONNECT_SECONDS = 5  # for a new connection
STATEMENT_SECONDS = 10  # for a statement of a server or a worker, which the database ends then
ANSWER_SECONDS = 12  # for any sign of life of a database that should have answered by then
POOL_SECONDS = 8  # for a connection that others have

# SQLite
WRITER_SECONDS = 8  # for the turn among this process's writers, and as long again for those of other processes
MIGRATION_SECONDS = 60  # for another process that brings the tables up to date

# Redis
REDIS_SECONDS = 10  # for a connection, and for each answer

# The server
READY_SECONDS = 3  # for the store to take a write, before `/ready` says that it does not
GRACE_SECONDS = 20  # for requests that are being answered when the server is told to stop
LAST_WRITES_SECONDS = 2  # for each statement after that
ENGINE_SECONDS = 10  # for an engine that is told to end


@dataclass
class Patience:
    """How long connections wait; whoever waits already is held to what it becomes.

    Attributes:
        statement: Seconds after which the database ends a statement of a new connection; None for never.
        answer: Seconds without a sign of life after which a connection is given up; None for never.
    """

    statement: float | None = None
    answer: float | None = None

    def hurry(self) -> None:
        """Wait no more than `LAST_WRITES_SECONDS` from now on."""
        self.answer = LAST_WRITES_SECONDS
