"""The shipped news: companies, dated headlines with labels, and the planted surges and decoys among them."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict

from apps.finance_monitor.markup import without_markup
from core.data.tables import read_rows
from core.training.task import Split
from core.util.files import sha256_of

DATA = Path(__file__).parent / "example"

Topic = Literal["earnings", "deals", "legal", "products", "management", "operations", "markets", "workforce"]
Sentiment = Literal["negative", "neutral", "positive"]
TOPICS: tuple[Topic, ...] = get_args(Topic)
SENTIMENTS: tuple[Sentiment, ...] = get_args(Sentiment)
# Labels by their identity, "topic/sentiment", in the order of the policy's joint choice.
LABELS = tuple(f"{topic}/{sentiment}" for topic in TOPICS for sentiment in SENTIMENTS)

UNNAMED = "The company"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Company(_Row):
    """A listed company and the names that the press gives it."""

    id: str
    name: str
    ticker: str
    aliases: list[str]
    sector: str


class News(_Row):
    """A dated headline about one company, labelled from the point of view of a holder of its shares or debt."""

    id: str
    time: AwareDatetime
    company: str
    topic: Topic
    sentiment: Sentiment
    headline: str
    split: Split
    episode: str | None = None

    @property
    def label(self) -> str:
        """Identity of its label, one of `LABELS`."""
        return f"{self.topic}/{self.sentiment}"


class Episode(_Row):
    """A planted surge of bad news, or a decoy that must not alert."""

    id: str
    kind: Literal["surge", "syndication", "neutral_volume", "scary_words"]
    company: str
    title: str
    split: Split
    start: AwareDatetime
    end: AwareDatetime


@dataclass(frozen=True)
class NewsData:
    """Everything that the monitor learns from; news in order of time."""

    companies: dict[str, Company]
    news: list[News]
    episodes: list[Episode]
    fingerprint: str

    def of(self, split: Split) -> list[News]:
        """The news of one split."""
        return [item for item in self.news if item.split == split]

    def name(self, company: str) -> str:
        """What people call a company of that id; a company that is not on the watchlist goes by its id."""
        known = self.companies.get(company)
        return known.name if known else company

    def text(self, company: str, headline: str) -> str:
        """What the policy reads: whose news it is, then the headline.

        The name of a company that is not on the watchlist is read only if the headline has it: any other says nothing
        about the news, and one of markup or gibberish would hide bad news from the policy. So would tags.
        """
        headline = without_markup(headline)
        known = self.companies.get(company)
        if known:
            return f"{known.name}: {headline}"
        return f"{company if company.casefold() in headline.casefold() else UNNAMED}: {headline}"


@cache
def load_news_data(folder: Path = DATA) -> NewsData:
    """Read the three files of a newsroom.

    Raises:
        SteerError: A file is missing or malformed; the message names the line.
    """
    files = [folder / f"{name}.jsonl" for name in ("companies", "news", "episodes")]
    return NewsData(
        {company.id: company for company in read_rows(files[0], Company)},
        sorted(read_rows(files[1], News), key=lambda item: item.time),
        read_rows(files[2], Episode),
        "".join(sha256_of(file) for file in files),
    )
