"""Headlines from RSS and Atom feeds of the web."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from hashlib import sha256
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from xml.parsers import expat

from apps.finance_monitor.clock import wall_clock
from apps.finance_monitor.feed import MAX_HEADLINE, Item, item_of
from apps.finance_monitor.markup import without_markup
from core.util.errors import SteerError
from core.util.fetch import fetch

_LONGEST_KEY = 200
# Markup that is malformed is repaired at a price that grows with the square of its length.
_MOST_REPAIRED = 200_000
_ACCEPT = "application/rss+xml, application/atom+xml, application/rdf+xml, application/xml;q=0.9, text/xml;q=0.8"


@dataclass
class RssFeed:
    """Follows a feed: each `poll` asks for what has changed since the last, and reads all that stands there.

    Items are known by their guid, or else by their link. A date without a zone is read in that of the feed, or else
    refused; news without a date are dated when they are first seen.

    Attributes:
        address: Address of the feed, of http or https.
        zone: Time zone of dates that name none.
        allow_private: Whether the address may be one of the own network.
        rejected: Faults of items at the last poll, each with its item.
    """

    address: str
    zone: tzinfo | None = None
    allow_private: bool = False
    rejected: list[str] = field(default_factory=list)
    _known: dict[str, str] = field(default_factory=dict)

    def poll(self) -> list[Item]:
        """Items that the feed holds, the oldest first, or none where it has not changed.

        Raises:
            UnavailableError: It does not answer; the next poll may succeed.
            SteerError: Its address or its content is not acceptable, or the extra `feeds` is not installed.
        """
        self.rejected = []
        document = fetch(self.address, {"Accept": _ACCEPT, **self._known}, allow_private=self.allow_private)
        if document.body is None:
            return []
        items = self._items(document.body)
        validators = (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified"))
        self._known = {ask: document.headers[name] for ask, name in validators if name in document.headers}
        return items

    def close(self) -> None:
        """Nothing is kept open between polls."""

    def _items(self, body: bytes) -> list[Item]:
        items = []
        for number, entry in enumerate(_entries(body), start=1):
            try:
                items.append(item_of(self._row(entry)))
            except ValueError as error:
                self.rejected.append(f"item {number}: {error}")
        return sorted(items, key=lambda item: item.time)

    def _row(self, entry: dict[str, Any]) -> dict[str, Any]:
        headline = " ".join(without_markup(entry.get("title") or entry.get("summary") or "").split())
        return {
            "key": self._key(entry.get("id") or entry.get("link") or headline),
            "time": self._time(entry.get("published") or entry.get("updated")),
            "headline": headline if len(headline) <= MAX_HEADLINE else headline[: MAX_HEADLINE - 1] + "…",
        }

    def _key(self, name: str) -> str:
        """A key that no other publisher's item has; two feeds of one publisher share it."""
        key = name if urlsplit(name).scheme else f"{urlsplit(self.address).hostname} {name}"
        return key if len(key) <= _LONGEST_KEY else sha256(key.encode()).hexdigest()

    def _time(self, written: str | None) -> datetime:
        if not written:
            return wall_clock()
        time = _parsed(written.strip())
        if time.tzinfo is None:
            if self.zone is None:
                raise ValueError(f"time: {written!r} names no time zone; say `zone:` beside the feed, such as UTC")
            time = time.replace(tzinfo=self.zone)
        return time.astimezone(UTC)


def _parsed(written: str) -> datetime:
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return parse(written)
        except ValueError:
            continue
    raise ValueError(f"time: {written[:60]!r} is no date")


def _entries(body: bytes) -> list[dict[str, Any]]:
    try:
        import feedparser
    except ImportError as error:
        raise SteerError("RSS and Atom feeds need an extra of Steer's: pip install 'steer[feeds]'") from error
    if len(body) > _MOST_REPAIRED and not _is_well_formed(body):
        raise SteerError(f"its XML is malformed, and {len(body):,} bytes are too many to be repaired")
    # A stream: of bytes alone feedparser would open the file, or the address, of that name.
    feed = feedparser.parse(BytesIO(body), sanitize_html=False, resolve_relative_uris=False)
    if not feed.get("version"):
        raise SteerError("its content is neither RSS nor Atom")
    return feed.entries


def _is_well_formed(body: bytes) -> bool:
    try:
        expat.ParserCreate().Parse(body, True)
    except expat.ExpatError:
        return False
    return True
