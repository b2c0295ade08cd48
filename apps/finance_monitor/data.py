"""News to learn from and companies to watch: dated headlines with labels, planted surges and decoys, a watchlist."""

from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict

from apps.finance_monitor.config import NewsConfig
from apps.finance_monitor.linking import Linker, words_of
from apps.finance_monitor.markup import without_markup
from core.data.fields import Id, Key, ListOf, Text, Time
from core.data.splits import Split, split_by_time
from core.data.tables import Row, read_rows
from core.training.workspace import Table, Workspace, read_workspace
from core.util.errors import SteerError

EXAMPLE = Path(__file__).parent / "example"

Topic = Literal["earnings", "deals", "legal", "products", "management", "operations", "markets", "workforce"]
Sentiment = Literal["negative", "neutral", "positive"]
TOPICS: tuple[Topic, ...] = get_args(Topic)
SENTIMENTS: tuple[Sentiment, ...] = get_args(Sentiment)
# Labels by their identity, "topic/sentiment", in the order of the policy's joint choice.
LABELS = tuple(f"{topic}/{sentiment}" for topic in TOPICS for sentiment in SENTIMENTS)

UNNAMED = "The company"


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


class News(_Row):
    """A dated headline about one company, labelled from the point of view of a holder of its shares or debt."""

    id: Key
    time: Time
    company: str = ""
    topic: Topic
    sentiment: Sentiment
    headline: Text
    split: Split | None = None
    episode: str | None = None

    @property
    def label(self) -> str:
        """Identity of its label, one of `LABELS`."""
        return f"{self.topic}/{self.sentiment}"


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
        episodes: Surges and decoys among them.
        descriptions: Topics of the user's own that no headline is labelled with; empty where those of the labels count.
    """

    companies: dict[str, Company]
    mentioned: dict[str, Company]
    news: list[News]
    episodes: list[Episode]
    descriptions: dict[str, str]

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever what is learnt does; a company that is watched besides changes nothing."""
        rows = "\n".join(f"{item.split}\t{item.label}\t{self.text(item.company, item.headline)}" for item in self.news)
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

    def name(self, company: str) -> str:
        """What people call a company of that id; a company that nobody knows goes by its id."""
        known = self._known(company)
        return known.name if known else company

    def text(self, company: str, headline: str) -> str:
        """What the policy reads: whose news it is, then the headline.

        The name of a company that nobody knows is read only if the headline has it: any other says nothing about the
        news, and one of markup or gibberish would hide bad news from the policy. So would tags.
        """
        headline = without_markup(headline)
        if known := self._known(company):
            return f"{known.name}: {headline}"
        is_named = company and company.casefold() in headline.casefold()
        return f"{company if is_named else UNNAMED}: {headline}"

    def _known(self, company: str) -> Company | None:
        return self.companies.get(company) or self.mentioned.get(company)


def read_news_data(workspace: Workspace[NewsConfig]) -> NewsData:
    """The data of a workspace; without labelled news of its own, the shipped ones are what is learnt from.

    Raises:
        SteerError: A table is missing or malformed; the message names the line.
    """
    config = workspace.config
    companies = _by_id(read_companies(workspace))
    if config.news is None:
        learnt = example_data()
        return NewsData(companies, learnt.companies, learnt.news, learnt.episodes, config.topics)
    news = _with_splits(_rows(workspace, config.news, News))
    episodes = _rows(workspace, config.episodes, Episode) if config.episodes else []
    return NewsData(companies, {}, sorted(news, key=lambda item: item.time), episodes, config.topics)


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


def _with_splits(news: list[News]) -> list[News]:
    """News with the splits that they name, or else with those of their time."""
    without = [item for item in news if item.split is None]
    if not without:
        return news
    if len(without) < len(news):
        raise SteerError(f"news {without[0].id!r} names no split, as others do; fill in all of the column, or none")
    from datasets import Dataset

    parts = split_by_time(Dataset.from_dict({"time": [item.time for item in news], "row": range(len(news))}), "time")
    return [news[row].model_copy(update={"split": split}) for split, part in parts.items() for row in part["row"]]
