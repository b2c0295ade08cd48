"""What the `steer.yaml` of a news monitor may hold."""

import re
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator

from core.training.workspace import Table, WorkspaceConfig
from core.util.section import Section

_TOPIC = re.compile(r"\w[\w-]{0,39}")
_WEB = ("http", "https")
_SCHEMES = (*_WEB, "redis", "rediss")


class FeedConfig(Section):
    """A source of news that a server follows."""

    source: str = Field(
        min_length=1,
        description="Address of an RSS or Atom feed, JSON Lines file that grows, or stream in Redis "
        "(redis://HOST:PORT/NUMBER/NAME)",
    )
    name: str = Field(default="", max_length=80, description="Name for people; the end of the source by default")
    every: float | None = Field(
        default=None, ge=0.5, le=86_400, description="Seconds between polls; 300 for an address, else half a second"
    )
    zone: str = Field(
        default="", description="Time zone of dates that name none, such as Europe/London; empty leaves such news out"
    )
    allow_private: bool = Field(
        default=False, description="Whether the address, and what it redirects to, may be one of the own network"
    )

    @field_validator("source")
    @classmethod
    def _can_be_followed(cls, source: str) -> str:
        if "://" in source and urlsplit(source).scheme.lower() not in _SCHEMES:
            raise ValueError(f"cannot follow {source!r}; write an address of http, https or redis, or a file")
        return source

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        if zone and zone not in available_timezones():
            raise ValueError(f"there is no time zone {zone!r}; write one such as Europe/London or UTC")
        return zone

    @property
    def is_web(self) -> bool:
        """Whether it is an address of the web."""
        return urlsplit(self.source).scheme.lower() in _WEB

    @property
    def title(self) -> str:
        """Its name for people, which no password of an address is part of."""
        return self.name or (urlsplit(self.source).hostname if self.is_web else None) or Path(self.source).name

    @property
    def pause(self) -> float:
        """Seconds between polls."""
        return self.every or (300.0 if self.is_web else 0.5)

    @property
    def time_zone(self) -> ZoneInfo | None:
        """Time zone of dates that name none."""
        return ZoneInfo(self.zone) if self.zone else None


class NewsConfig(WorkspaceConfig):
    """A watchlist, and where its news come from."""

    watchlist: Table = Field(description="Companies: id, name, and if you like ticker, aliases, sector, owner")
    feeds: tuple[FeedConfig, ...] = Field(default=(), max_length=100, description="Feeds that a server follows")
    topics: dict[str, str] = Field(
        default_factory=dict,
        max_length=40,
        description="Topics of your own, each with a description: the nearest to a headline is its topic; by default "
        "those of the labelled headlines",
    )
    news: Table | None = Field(
        default=None,
        description="Labelled headlines to learn from: id, time, company, headline, topic, sentiment, and if you like "
        "split; the shipped ones by default",
    )
    headlines: Table | None = Field(
        default=None,
        description="Labelled headlines of no time that teach labels besides: id, company, headline, topic, sentiment, "
        "and if you like split; a row for each company that a headline names",
    )
    episodes: Table | None = Field(
        default=None, description="Surges and decoys among them, for the backtest: id, kind, company, title, start, end"
    )

    @field_validator("topics")
    @classmethod
    def _are_described(cls, topics: dict[str, str]) -> dict[str, str]:
        if len(topics) == 1:
            raise ValueError("one topic tells nothing; name at least two, or none")
        for name, description in topics.items():
            if not _TOPIC.fullmatch(name) or not description.strip():
                raise ValueError(f"{name!r} must be a word of at most 40 letters, digits, _ and -, with a description")
        return topics

    @field_validator("feeds")
    @classmethod
    def _have_names_of_their_own(cls, feeds: tuple[FeedConfig, ...]) -> tuple[FeedConfig, ...]:
        titles = [feed.title for feed in feeds]
        twice = next((title for title in titles if titles.count(title) > 1), None)
        if twice is not None:
            raise ValueError(f"two feeds are called {twice!r}; give each a `name:` of its own")
        return feeds
