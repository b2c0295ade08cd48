"""Headlines from a Redis stream that other processes publish to."""

from dataclasses import dataclass, field

from apps.finance_monitor.feed import Item, item_of
from core.platform.queues.connection import split_address
from core.platform.queues.stream import Malformed, Stream

_AT_ONCE = 10_000


@dataclass
class RedisFeed:
    """Follows a stream: each `poll` reads what was published since the last, whoever else reads it.

    A publisher sends `Stream.publish(key, {"time": ..., "company": ..., "headline": ...})`, where the key is the news
    agency's own id of the item, so that an item that is sent again counts once.

    Attributes:
        address: Address of the stream, redis://HOST:PORT/NUMBER/NAME.
        rejected: Faults of entries at the last poll, each with its entry.

    Raises:
        UnavailableError: The server does not answer.
        SteerError: The address is wrong, or the extra `redis` is not installed.
    """

    address: str
    rejected: list[str] = field(default_factory=list)
    _last: str = "0-0"

    def __post_init__(self) -> None:
        self._stream = Stream(*split_address(self.address))

    def close(self) -> None:
        """The connections are the client's, which closes them."""

    def poll(self) -> list[Item]:
        """New items, at most `_AT_ONCE`; malformed entries are noted in `rejected` and left out.

        Raises:
            UnavailableError: The server does not answer; the next poll goes on where this one was.
        """
        items = []
        self.rejected = []
        for entry in self._stream.read(self._last, _AT_ONCE):
            self._last = entry.id
            try:
                if isinstance(entry, Malformed):
                    raise ValueError(entry.reason)
                items.append(item_of(entry.payload, entry.key))
            except ValueError as error:
                self.rejected.append(f"entry {entry.id}: {error}")
        return items
