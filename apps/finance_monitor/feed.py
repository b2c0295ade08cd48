"""Headlines from a file that somebody else writes, one JSON object a line."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from core.util.errors import SteerError

MAX_FEED_BYTES = 50_000_000


def _no_number(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError("write the time as a text such as 2025-03-03T09:00:00Z; a number may mean anything")
    return value


# Sums with the years 1 and 9999 leave the calendar.
NewsTime = Annotated[
    AwareDatetime,
    Field(ge=datetime(1900, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC)),
    BeforeValidator(_no_number),
]


class Item(BaseModel):
    """A dated headline about a company; the company is an id of the watchlist, or any name."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    time: NewsTime
    company: str = Field(min_length=1, max_length=80)
    headline: str = Field(min_length=1, max_length=500)


class Feed(Protocol):
    """A source of news that is followed.

    Attributes:
        rejected: what was malformed, and how.
    """

    rejected: list[str]

    def poll(self) -> list[Item]:
        """What arrived since the last call."""


def item_of(row: Any) -> Item:
    """The item that a JSON value describes.

    Raises:
        ValueError: it describes none; the message names the first thing that is wrong.
    """
    try:
        return Item.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


@dataclass
class FeedFile:
    """Follows a JSON Lines file: each `poll` reads what was appended since the last.

    Attributes:
        path: of the file.
        rejected: what was wrong with which line.
    """

    path: Path
    rejected: list[str] = field(default_factory=list)
    _offset: int = 0
    _line: int = 0

    def poll(self) -> list[Item]:
        """New items; malformed lines are noted in `rejected` and left out, a half-written last line waits.

        Raises:
            SteerError: the file cannot be read, or is larger than `MAX_FEED_BYTES`.
        """
        items = []
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
            if self.path.stat().st_size > MAX_FEED_BYTES:
                raise SteerError(f"{self.path.name} is larger than {MAX_FEED_BYTES // 1_000_000} MB; split it")
            with self.path.open("rb") as stream:
                stream.seek(self._offset)
                new = stream.read()
        except OSError as error:
            raise SteerError(f"cannot read the feed {self.path.name}: {error.strerror}") from error
        end = new.rfind(b"\n") + 1
        self._offset += end
        return new[:end].splitlines()
