"""Members of a consumer group, who share the entries of a stream between them."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from core.platform.queues.connection import answered_by
from core.platform.queues.stream import Entry, Malformed, Stream, parsed
from core.platform.timeouts import REDIS_SECONDS

_DEAD_LETTERS = 10_000


class Consumer:
    """One member of a group; entries that it takes are its own until `done`, or until it seems dead.

    Every entry is handed out at least once. It is handed out again when its consumer did not say `done` within `idle`,
    so what is done with it must be such that twice is as good as once: write it to the store under the entry's key.

    Args:
        stream: Stream to read; a new group begins with its oldest entry.
        group: Name of the group whose members share the entries; every group gets all of them.
        name: Name of this member, different from the others' names.
        idle: Time after which an entry that is not done is given to another member; longer than the work takes.
        attempts: Number of times that an entry whose consumers die is handed out before it goes to the dead letters.
    """

    def __init__(
        self, stream: Stream, group: str, name: str, *, idle: timedelta = timedelta(minutes=1), attempts: int = 5
    ) -> None:
        self.stream, self.group, self.name, self.attempts = stream, group, name, attempts
        self._idle = int(idle.total_seconds() * 1000)
        self._longest_block = min(REDIS_SECONDS / 2, idle.total_seconds())  # others may die meanwhile
        self._scanned = "0-0"
        self._join()

    def take(self, limit: int = 100, wait: timedelta = timedelta(seconds=1)) -> list[Entry]:
        """Entries to work on: first those of members that seem dead, then new ones.

        Entries that are malformed, or were handed out too often, go to the dead letters instead.

        Args:
            limit: Largest number of entries.
            wait: Longest time to wait for the first one.

        Raises:
            UnavailableError: The server does not answer. Nothing is lost, and the same call may be made again.
        """
        deadline = time.monotonic() + wait.total_seconds()
        while True:
            entries = self._waiting(limit, deadline - time.monotonic())
            usable = [entry for entry in entries if self._is_usable(entry)]
            if usable or time.monotonic() >= deadline:
                return [entry for entry in usable if isinstance(entry, Entry)]

    def done(self, entries: Sequence[Entry]) -> None:
        """The work on these is finished and its outcome is safe; nobody gets them again.

        Raises:
            UnavailableError: The server does not answer; they will be handed out again.
        """
        if entries:
            with answered_by(self.stream.url):
                self.stream.redis.xack(self.stream.key, self.group, *(entry.id for entry in entries))

    def give_up(self, entry: Entry | Malformed, reason: str) -> None:
        """This entry can never be processed: it goes to the dead letters, and nobody gets it again.

        Raises:
            UnavailableError: The server does not answer; it will be handed out again.
        """
        redis, key = self.stream.redis, self.stream.key
        with answered_by(self.stream.url):
            rows: Any = redis.xrange(key, entry.id, entry.id)
            fields = rows[0][1] if rows else {}
            both = redis.pipeline(transaction=True)  # never in neither place
            letter: Any = {
                **fields,
                b"id": entry.id,
                b"group": self.group,
                b"reason": reason[:1000].encode(errors="replace"),
            }
            both.xadd(self.stream.dead_key, letter, maxlen=_DEAD_LETTERS, approximate=True)
            both.xack(key, self.group, entry.id)
            both.execute()

    def _join(self) -> None:
        from redis.exceptions import ResponseError

        with answered_by(self.stream.url):
            try:
                self.stream.redis.xgroup_create(self.stream.key, self.group, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):  # otherwise another member was first
                    raise

    def _waiting(self, limit: int, wait: float) -> list[Entry | Malformed]:
        from redis.exceptions import ResponseError

        with answered_by(self.stream.url):
            try:
                return self._abandoned(limit) or self._new(limit, wait)
            except ResponseError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
        self._join()  # the server came back without what it held, or somebody removed the stream
        return []

    def _abandoned(self, limit: int) -> list[Entry | Malformed]:
        redis, key = self.stream.redis, self.stream.key
        claimed: Any = redis.xautoclaim(key, self.group, self.name, self._idle, self._scanned, count=limit)
        self._scanned = claimed[0]
        rows = [(entry_id, fields) for entry_id, fields in claimed[1] if entry_id is not None]
        pending = redis.pipeline(transaction=False)
        for entry_id, _ in rows:
            pending.xpending_range(key, self.group, entry_id, entry_id, 1)
        counts = [answer[0]["times_delivered"] if answer else 1 for answer in pending.execute()]
        return [parsed(*row, attempts=count) for row, count in zip(rows, counts, strict=True)]

    def _new(self, limit: int, wait: float) -> list[Entry | Malformed]:
        block = max(1, int(min(wait, self._longest_block) * 1000))  # 0 would wait for ever
        streams: Any = {self.stream.key: ">"}
        answer: Any = self.stream.redis.xreadgroup(self.group, self.name, streams, count=limit, block=block)
        return [parsed(*row) for _, rows in answer or [] for row in rows]

    def _is_usable(self, entry: Entry | Malformed) -> bool:
        if isinstance(entry, Malformed):
            self.give_up(entry, entry.reason)
            return False
        if entry.attempts > self.attempts:
            self.give_up(entry, f"handed out {self.attempts} times, and no consumer lived to finish it")
            return False
        return True
