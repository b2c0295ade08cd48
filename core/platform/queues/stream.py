"""A stream of messages in Redis: each key counts once, and nothing is dropped that somebody still has to read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from core.platform.queues.connection import answered_by, connect
from core.util.errors import SteerError, UnavailableError

MAX_PAYLOAD_BYTES = 256_000

# One script, so that no other client sees the key without the entry and a kill leaves both or neither. The entries that
# a group has finished are a beginning of the stream; the shortest of these beginnings is free to go.
_PUBLISH = """
local stream, seen = KEYS[1], KEYS[2]
local key, payload, window, limit, batch = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
if redis.call('EXISTS', seen) == 1 then return 0 end
if redis.call('XLEN', stream) >= limit then
  local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', batch)
  local free = #oldest
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group = {}
    for i = 1, #flat, 2 do group[flat[i]] = flat[i + 1] end
    local finished = group['last-delivered-id']
    if group['pending'] > 0 then finished = '(' .. redis.call('XPENDING', stream, group['name'])[2] end
    free = math.min(free, #redis.call('XRANGE', stream, '-', finished, 'COUNT', batch))
  end
  if free == 0 then return -1 end
  for i = 1, free do redis.call('XDEL', stream, oldest[i][1]) end
end
redis.call('XADD', stream, '*', 'key', key, 'payload', payload)
redis.call('SET', seen, 1, 'PX', window)
return 1
"""
_TRIM_BATCH = 100


@dataclass(frozen=True)
class Entry:
    """A message.

    Attributes:
        id: Id that Redis gave the entry; later entries have greater ids.
        key: Key that the sender gave it.
        payload: Content of the message, a JSON object.
        attempts: Number of times that it has been handed out, this time included.
    """

    id: str
    key: str
    payload: dict[str, Any]
    attempts: int = 1


@dataclass(frozen=True)
class Malformed:
    """An entry that is none of ours, and why."""

    id: str
    reason: str


class Stream:
    """A named stream.

    It grows to `length` entries. Then the oldest make room, once every consumer group has finished them; while a group
    lags so far behind that none can go, `publish` refuses rather than drop what was never read. Readers without a group
    see the last `length` entries.

    Args:
        url: Address of the server.
        name: Name of the stream.
        window: Time for which a key is remembered; Redis keeps some hundred bytes for each.
        length: Largest number of entries that are kept.

    Raises:
        UnavailableError: The server does not answer.
        SteerError: The URL is wrong, or the extra `redis` is not installed.
    """

    def __init__(self, url: str, name: str, *, window: timedelta = timedelta(days=1), length: int = 100_000) -> None:
        self.url, self.name, self.window, self.length = url, name, window, length
        # Braces: a Redis cluster keeps keys with equal text in braces on one server, as scripts and transactions need.
        self.key = f"steer:{{{name}}}"
        self.dead_key = f"{self.key}:dead"
        self.redis = connect(url)
        self._publish = self.redis.register_script(_PUBLISH)
        with answered_by(url):
            self.redis.ping()

    def publish(self, key: str, payload: Mapping[str, Any]) -> bool:
        """Append a message; it is in the stream when the call returns.

        Args:
            key: Key of the message: sent again within `window`, it is not appended again.
            payload: JSON values, at most `MAX_PAYLOAD_BYTES` when written.

        Returns:
            Whether it is new.

        Raises:
            UnavailableError: The server does not answer, or the stream is full of entries that nobody has finished. The
                same call may be made again.
            SteerError: The payload is too large or no JSON.
        """
        written = _written(payload)
        milliseconds = max(1, int(self.window.total_seconds() * 1000))
        with answered_by(self.url):
            outcome = self._publish(
                keys=[self.key, f"{self.key}:key:{key}"],
                args=[key, written, milliseconds, self.length, _TRIM_BATCH],
            )
        if outcome < 0:
            raise UnavailableError(
                f"the stream {self.name} holds {self.length} entries that its consumers have not finished; "
                "start more consumers, or remove a group that nobody reads for any longer (XGROUP DESTROY)"
            )
        return bool(outcome)

    def read(self, after: str = "0-0", limit: int = 1000) -> list[Entry | Malformed]:
        """Entries in order, for a reader who is to see all of them, whoever else reads.

        Args:
            after: Id of the last entry seen.
            limit: Largest number of entries.

        Raises:
            UnavailableError: The server does not answer.
        """
        with answered_by(self.url):
            rows: Any = self.redis.xrange(self.key, f"({after}", "+", count=limit)
        return [parsed(*row) for row in rows]

    def dead(self, limit: int = 1000) -> list[dict[str, str]]:
        """Entries that were given up, oldest first, each with its `id`, `key`, `payload` and the `reason`."""
        with answered_by(self.url):
            rows: Any = self.redis.xrange(self.dead_key, count=limit)
        return [{_text(name): _text(value) for name, value in fields.items()} for _, fields in rows]

    def close(self) -> None:
        """Close the connection."""
        self.redis.close()


def parsed(entry_id: bytes, fields: Mapping[bytes, bytes], attempts: int = 1) -> Entry | Malformed:
    """What an entry as Redis returns it says."""
    if b"key" not in fields or b"payload" not in fields:
        return Malformed(entry_id.decode(), "it lacks the fields `key` and `payload`")
    try:
        payload = json.loads(fields[b"payload"])
        key = fields[b"key"].decode()
    except (ValueError, RecursionError) as error:
        return Malformed(entry_id.decode(), f"not JSON ({error})")
    if not isinstance(payload, dict):
        return Malformed(entry_id.decode(), "the payload is no JSON object")
    return Entry(entry_id.decode(), key, payload, attempts)


def _written(payload: Mapping[str, Any]) -> str:
    try:
        written = json.dumps(dict(payload), ensure_ascii=False, allow_nan=False)
        size = len(written.encode())
    except (TypeError, ValueError) as error:
        raise SteerError(f"the message is no JSON: {error}") from error
    if size > MAX_PAYLOAD_BYTES:
        raise SteerError(
            f"the message has {size:,} bytes, more than {MAX_PAYLOAD_BYTES:,}; store it and send where it lies"
        )
    return written


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
