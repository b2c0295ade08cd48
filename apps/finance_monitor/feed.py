"""News as feeds deliver them, and a feed that is a file: one JSON object a line."""

import hashlib
import json
import os
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from apps.finance_monitor.clock import NewsTime
from core.util.errors import SteerError

MAX_HEADLINE = 500
# Databases take no NUL in a text.
_NO_NUL = r"^[^\x00]+$"
# Bytes by which a file is known again.
_MARK = 4_096


class Item(BaseModel):
    """A dated headline; sent again with the same key, it counts once. Without a company it is linked by its names."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    key: str = Field(min_length=1, max_length=200, pattern=_NO_NUL)
    time: NewsTime
    company: str = Field(
        default="",
        max_length=80,
        pattern=r"^[^\x00]*$",
        description="id, name or ticker on the watchlist, or any name; empty for those that the headline names",
    )
    headline: str = Field(min_length=1, max_length=MAX_HEADLINE, pattern=_NO_NUL)


class Feed(Protocol):
    """A source of news that is followed.

    Attributes:
        rejected: Faults since the last poll, each with its place.
    """

    rejected: list[str]

    def poll(self) -> list[Item]:
        """What arrived since the last call."""

    def close(self) -> None:
        """Follow it no longer."""


def item_of(row: Any, key: str | None = None) -> Item:
    """The item that a JSON value describes.

    Args:
        row: JSON value.
        key: Key of the delivery; without one, a row that has no `key` of its own is known by its content.

    Raises:
        ValueError: It describes none; the message names the first thing that is wrong.
    """
    if isinstance(row, dict) and (key is not None or "key" not in row):
        content = json.dumps([row.get(name) for name in ("time", "company", "headline")])
        row = {**row, "key": key or hashlib.sha256(content.encode()).hexdigest()}
    try:
        return Item.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


@dataclass
class FeedFile:
    """Follows a JSON Lines file: each `poll` reads what was appended since the last.

    A file that was truncated, written anew, or put in the place of another is read from its beginning, which the log
    says; a key counts once, so what is read again does no harm. What was still written to a file that then made way for
    another is read first.

    Attributes:
        path: File that somebody else writes.
        at_once: Bytes that one poll reads at most.
        rejected: Faults of lines at the last poll, each with its line.
    """

    path: Path
    at_once: int = 4_000_000
    rejected: list[str] = field(default_factory=list)
    _stream: FileIO | None = None
    _offset: int = 0
    _line: int = 0
    _head: bytes = b""
    _tail: bytes = b""

    def poll(self) -> list[Item]:
        """New items; malformed lines are noted in `rejected` and left out, a half-written last line waits.

        Raises:
            SteerError: The file cannot be read.
        """
        items = []
        self.rejected = []
        for line in self._new_lines():
            self._line += 1
            if not line.strip():
                continue
            try:
                items.append(item_of(json.loads(line.decode("utf-8"))))
            except UnicodeDecodeError:
                self.rejected.append(f"line {self._line}: not UTF-8 text")
            except json.JSONDecodeError as error:
                self.rejected.append(f"line {self._line}: not JSON ({error.msg})")
            except RecursionError:
                self.rejected.append(f"line {self._line}: nested too deeply")
            except ValueError as error:
                self.rejected.append(f"line {self._line}: {error}")
        return items

    def close(self) -> None:
        """Follow the file no longer."""
        if self._stream is not None:
            self._stream.close()

    def _new_lines(self) -> list[bytes]:
        try:
            if self._stream is None:
                self._stream = self._opened()
            elif not self._is_as_read(self._stream):
                self._begin_anew("it was truncated or written anew")
            new = self._rest(self._stream)
            if not new and not os.path.samestat(os.fstat(self._stream.fileno()), self.path.stat()):
                self._begin_anew("another file is in its place")
                new = self._rest(self._stream)
        except OSError as error:
            raise SteerError(f"cannot read the feed {self.path.name}: {error.strerror}") from error
        return new.splitlines()

    def _opened(self) -> FileIO:
        return self.path.open("rb", buffering=0)  # a buffer would keep what the file no longer holds

    def _begin_anew(self, why: str) -> None:
        stream = self._opened()
        self.close()
        self._stream, self._offset, self._line, self._head, self._tail = stream, 0, 0, b"", b""
        structlog.get_logger().warning("the feed is read from its beginning", feed=self.path.name, reason=why)

    def _is_as_read(self, stream: FileIO) -> bool:
        """Whether the beginning of the file, and what was read last, still stand where they stood."""
        return all(
            os.pread(stream.fileno(), len(part), at) == part
            for part, at in ((self._head, 0), (self._tail, self._offset - len(self._tail)))
        )

    def _rest(self, stream: FileIO) -> bytes:
        """Whole lines behind those that were read."""
        new = os.pread(stream.fileno(), self.at_once, self._offset)
        # A line that is longer than all that is read at once will never end: its parts are no JSON, and are said so.
        end = new.rfind(b"\n") + 1 or (len(new) if len(new) == self.at_once else 0)
        read = new[:end]
        self._head = (self._head + read)[:_MARK]
        self._tail = (self._tail + read)[-_MARK:]
        self._offset += end
        return read
