"""News to learn from and companies to watch: dated headlines with labels, planted surges and decoys, a watchlist."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict

from apps.finance_monitor.config import NewsConfig
from apps.finance_monitor.linking import Linker, words_of
from apps.finance_monitor.markup import without_markup
from core.data.fields import Id, Key, ListOf, Text, Time
from core.data.splits import Split, Splits, split_by_time, split_randomly
from core.data.tables import Row, read_rows
from core.data.windows import MARK
from core.training.workspace import Table, Workspace, read_workspace
from core.util.errors import SteerError

EXAMPLE = Path(__file__).parent / "example"

ItemT = TypeVar("ItemT", bound="Headline")

Topic = Literal["earnings", "deals", "legal", "products", "management", "operations", "markets", "workforce"]
Sentiment = Literal["negative", "neutral", "positive"]
TOPICS: tuple[Topic, ...] = get_args(Topic)
SENTIMENTS: tuple[Sentiment, ...] = get_args(Sentiment)
# Labels by their identity, "topic/sentiment", in the order of the policy's joint choice.
LABELS = tuple(f"{topic}/{sentiment}" for topic in TOPICS for sentiment in SENTIMENTS)


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class Company(_Row):
    """A company of the watchlist, and the names that the press gives it."""

    id: Key
    name: Text
    ticker: str = ""
    aliases: ListOf[str] = []
    sector: str = ""
    owner: str = ""


class Headline(_Row):
    """A headline, labelled from the point of view of a holder of one company's shares or debt.

    A headline that names several companies has a row for each.
    """

    id: Key
    company: str = ""
    topic: Topic
    sentiment: Sentiment
    headline: Text
    split: Split | None = None

    @property
    def label(self) -> str:
        """Identity of its label, one of `LABELS`."""
        return f"{self.topic}/{self.sentiment}"


class News(Headline):
    """A headline with the time at which it was published."""

    time: Time
    episode: str | None = None


class Episode(_Row):
    """A planted surge of bad news, or a decoy that must not alert."""

    id: Key
    kind: Literal["surge", "syndication", "neutral_volume", "scary_words"]
    company: Id
    title: str
    split: Split
    start: AwareDatetime
    end: AwareDatetime


@dataclass(frozen=True)
class NewsData:
    """Everything that the monitor learns from, and whom it watches.

    Attributes:
        companies: The watchlist, by id.
        mentioned: Companies that the labelled news are about and that nobody watches, by id.
        news: Labelled news in the order of time, each with its split.
        headlines: Labelled headlines of no time, which teach what labels mean and are no part of the stream.
        episodes: Surges and decoys among them.
        descriptions: Topics of the user's own that no headline is labelled with; empty where those of the labels count.
    """

    companies: dict[str, Company]
    mentioned: dict[str, Company]
    news: list[News]
    headlines: list[Headline]
    episodes: list[Episode]
    descriptions: dict[str, str]

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever what is learnt does; a company that is watched besides changes nothing."""
        items = (*self.news, *self.headlines)
        rows = "\n".join(f"{item.split}\t{item.label}\t{self.text(item.company, item.headline)}" for item in items)
        return sha256(rows.encode()).hexdigest()

    @cached_property
    def linker(self) -> Linker:
        """Finds the companies of the watchlist in headlines."""
        return Linker(self.companies.values(), ordinary_words())

    @property
    def topics(self) -> list[str]:
        """Topics that headlines may have."""
        return list(self.descriptions or TOPICS)

    def of(self, split: Split) -> list[News]:
        """The news of one split."""
        return [item for item in self.news if item.split == split]

    def labelled(self, split: Split) -> list[Headline]:
        """Everything of one split that teaches labels, news and headlines of no time; of what is read alike, one."""
        items = (*self.of(split), *(item for item in self.headlines if item.split == split))
        return list({self.text(item.company, item.headline): item for item in items}.values())

    def name(self, company: str) -> str:
        """What people call a company of that id; a company that nobody knows goes by its id."""
        known = self._known.get(company)
        return known.name if known else company

    def text(self, company: str, headline: str) -> str:
        """What the policy reads: the headline, with a mark in the place of the company that is asked about.

        So a headline that names two companies is two texts, and the policy learns what names stand beside rather than
        names. Of a company that the headline does not name, nothing is read: its name says nothing about the news, and
        one of markup or gibberish would hide bad news from the policy. So would tags.
        """
        headline, company = without_markup(headline).replace(MARK, ""), " ".join(company.split())
        linker = self._names if company in self._known else Linker([_Unlisted(company, company, company)])
        mentions = linker.mentions(headline, company)
        if not mentions:
            return f"{MARK}: {headline}"
        for start, end in reversed(mentions):
            headline = headline[:start] + MARK + headline[end:]
        return headline

    @cached_property
    def _known(self) -> dict[str, Company]:
        return self.mentioned | self.companies

    @cached_property
    def _names(self) -> Linker:
        return Linker(self._known.values(), ordinary_words())


class _Unlisted(NamedTuple):
    """A company of which nothing but a name or a ticker is known."""

    id: str
    name: str
    ticker: str
    aliases: tuple[str, ...] = ()


def read_news_data(workspace: Workspace[NewsConfig]) -> NewsData:
    """The data of a workspace; without labelled news of its own, the shipped ones are what is learnt from.

    Raises:
        SteerError: A table is missing or malformed; the message names the line.
    """
    config = workspace.config
    companies = _by_id(read_companies(workspace))
    headlines = _with_splits(_rows(workspace, config.headlines, Headline), _randomly) if config.headlines else []
    if config.news is None:
        learnt = example_data()
        headlines = [*learnt.headlines, *headlines]
        return NewsData(companies, learnt.companies, learnt.news, headlines, learnt.episodes, config.topics)
    news = _with_splits(_rows(workspace, config.news, News), _by_time)
    episodes = _rows(workspace, config.episodes, Episode) if config.episodes else []
    return NewsData(companies, {}, sorted(news, key=lambda item: item.time), headlines, episodes, config.topics)


def read_companies(workspace: Workspace[NewsConfig]) -> list[Company]:
    """The watchlist of a workspace.

    Raises:
        SteerError: It is missing or malformed; the message names the line.
    """
    return _rows(workspace, workspace.config.watchlist, Company)


@cache
def example_data() -> NewsData:
    """The data of the shipped example."""
    return read_news_data(read_workspace(EXAMPLE, NewsConfig))


@cache
def ordinary_words() -> frozenset[str]:
    """Words that headlines write in small letters: a company's name or ticker among them is a weak sign of it."""
    return frozenset(word for item in example_data().news for word in words_of(item.headline) if word.islower())


def _rows(workspace: Workspace[NewsConfig], table: Table, schema: type[Row]) -> list[Row]:
    return read_rows(workspace.source(table.source), schema, table.columns)


def _by_id(companies: list[Company]) -> dict[str, Company]:
    return {company.id: company for company in companies}


def _with_splits(items: list[ItemT], divide: Callable[[list[ItemT]], Splits]) -> list[ItemT]:
    """Headlines with the splits that they name, or else with those into which they are divided."""
    without = [item for item in items if item.split is None]
    if not without:
        return items
    if len(without) < len(items):
        raise SteerError(f"{without[0].id!r} names no split, as others do; fill in all of the column, or none")
    parts = divide(items).items()
    return [items[row].model_copy(update={"split": split}) for split, part in parts for row in part["row"]]


def _by_time(news: list[News]) -> Splits:
    from datasets import Dataset

    return split_by_time(Dataset.from_dict({"time": [item.time for item in news], "row": range(len(news))}), "time")


def _randomly(headlines: list[Headline]) -> Splits:
    from datasets import Dataset

    texts = [item.headline for item in headlines]
    return split_randomly(Dataset.from_dict({"text": texts, "row": range(len(texts))}), text="text")
