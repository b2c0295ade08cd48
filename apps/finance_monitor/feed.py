"""News as feeds deliver them, and a feed that is a file: one JSON object a line."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from apps.finance_monitor.clock import NewsTime
from core.util.errors import SteerError

MAX_HEADLINE = 500
# Databases take no NUL in a text.
_NO_NUL = r"^[^\x00]+$"


class Item(BaseModel):
    """A dated headline about a company; sent again with the same key, it counts once."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    key: str = Field(min_length=1, max_length=200, pattern=_NO_NUL)
    time: NewsTime
    company: str = Field(min_length=1, max_length=80, pattern=_NO_NUL, description="id on the watchlist, or any name")
    headline: str = Field(min_length=1, max_length=MAX_HEADLINE, pattern=_NO_NUL)


class Feed(Protocol):
    """A source of news that is followed.

    Attributes:
        rejected: What was malformed since the last poll, and how.
    """

    rejected: list[str]

    def poll(self) -> list[Item]:
        """What arrived since the last call."""


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

    Attributes:
        path: File that somebody else writes. One that has become shorter is a new one, and read from its beginning.
        at_once: Bytes that one poll reads at most.
        rejected: What was wrong with which line, at the last poll.
    """

    path: Path
    at_once: int = 4_000_000
    rejected: list[str] = field(default_factory=list)
    _offset: int = 0
    _line: int = 0

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

    def _new_lines(self) -> list[bytes]:
        try:
            if self.path.stat().st_size < self._offset:
                self._offset = self._line = 0
            with self.path.open("rb") as stream:
                stream.seek(self._offset)
                new = stream.read(self.at_once)
        except OSError as error:
            raise SteerError(f"cannot read the feed {self.path.name}: {error.strerror}") from error
        # A line that is longer than all that is read at once will never end: its parts are no JSON, and are said so.
        end = new.rfind(b"\n") + 1 or (len(new) if len(new) == self.at_once else 0)
        self._offset += end
        return new[:end].splitlines()
