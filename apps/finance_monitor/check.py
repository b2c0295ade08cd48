"""What there is to say of a news monitor's data before anything is learnt from them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from apps.finance_monitor.config import FeedConfig, NewsConfig
from apps.finance_monitor.data import (
    Company,
    Episode,
    Headline,
    News,
    NewsData,
    ordinary_words,
    read_companies,
    read_news_data,
)
from apps.finance_monitor.feed import Feed, Item
from apps.finance_monitor.feeds import open_feed
from apps.finance_monitor.linking import Linker, short_forms
from core.data.report import Rejected, Rejections, Report
from core.data.splits import split_sizes
from core.data.tables import check_table
from core.training.workspace import Table, Workspace, WorkspaceReport
from core.util.errors import SteerError

if TYPE_CHECKING:
    from datasets import Dataset

_SHOWN = 3


def check_news_data(workspace: Workspace[NewsConfig]) -> WorkspaceReport:
    """The report of a workspace's watchlist, labelled news and feeds; each feed is asked once.

    Raises:
        SteerError: A table is missing, lacks a column, or is empty.
    """
    config = workspace.config
    tables, texts = [_table(workspace, config.watchlist, Company)[1]], []
    for table, schema in ((config.news, News), (config.headlines, Headline)):
        if table is not None:
            rows, report = _table(workspace, table, schema)
            tables.append(report)
            texts += rows["headline"][:]
    if config.episodes is not None:
        tables.append(_table(workspace, config.episodes, Episode)[1])
    linker, remarks = Linker([], ()), []
    if not tables[0].rejected:
        companies = read_companies(workspace)
        linker = Linker(companies, ordinary_words())
        remarks = _remarks(companies, linker)
    splits = {}
    if not any(table.rejected for table in tables):  # else it is the rows that are to be mended first
        try:
            splits = _splits(read_news_data(workspace))
        except SteerError as error:
            remarks.append(str(error))
    reports = []
    for feed in config.feeds:
        report, items = _feed(workspace, feed)
        reports.append(report)
        texts += [item.headline for item in items]
        if items and not any(item.company or linker.companies(item.headline) for item in items):
            remarks.append(f"feed {feed.title}: none of its {len(items):,} headlines names a company of the watchlist")
    return WorkspaceReport((*tables, *reports), tuple(remarks), tuple(_missing(config)), tuple(texts), splits)


def _table(
    workspace: Workspace[NewsConfig], table: Table, schema: type[Company | Headline | Episode]
) -> "tuple[Dataset, Report]":
    return check_table(workspace.source(table.source), schema, table.columns)


def _splits(data: NewsData) -> dict[str, dict[str, int]]:
    parts: dict[str, Sequence[Headline]] = {"news": data.news, "headlines": data.headlines}
    return {name: split_sizes(item.split for item in items) for name, items in parts.items() if items}


def _remarks(companies: list[Company], linker: Linker) -> list[str]:
    """What would link headlines to the wrong company, or to none."""
    remarks = [
        f"watchlist: {name!r} links to {_listed(ids)} at once; give it to one of them"
        for name, ids in linker.shared.items()
    ]
    if linker.words:
        remarks.append(
            f"watchlist: {_listed(linker.words)} may be words or acronyms, so these tickers are found as $T or beside "
            "an exchange; where headlines write one alone, make it an alias"
        )
    names = {form for company in companies for name in (company.name, *company.aliases) for form in short_forms(name)}
    if words := sorted(name for name in names if name.casefold() in ordinary_words()):
        remarks.append(
            f"watchlist: {_listed(words)} may begin a headline as an ordinary word and be taken for the company"
        )
    if bare := [company.id for company in companies if not company.ticker and not company.aliases]:
        remarks.append(f"watchlist: {_listed(bare)} are found by their names alone: no ticker, no alias")
    return remarks


def _feed(workspace: Workspace[NewsConfig], config: FeedConfig) -> tuple[Report, list[Item]]:
    rejections = Rejections()
    items: list[Item] = []
    feed: Feed | None = None
    try:
        feed = open_feed(workspace, config)
        items = feed.poll()
    except SteerError as error:
        return Report(f"feed {config.title}", 0, 0, (Rejected("", str(error), 1, ()),)), []
    finally:
        if feed is not None:
            feed.close()
    for reason in feed.rejected:
        place, _, why = reason.partition(": ")
        rejections.add(place, "", why)
    return Report(f"feed {config.title}", len(items) + rejections.rows, len(items), rejections.by_reason()), items


def _missing(config: NewsConfig) -> Iterable[str]:
    if not config.feeds:
        path = "news" if config.name == config.app else config.name
        yield f"feeds: without one, news come through POST /v1/{path}/items and STEER_FINANCE_FEED alone"
    if config.news is None:
        yield (
            "news: without labelled headlines of your own, the shipped ones are learnt from; yours would teach what is "
            "good and bad news in your field"
        )
    elif config.episodes is None:
        yield "episodes: without known surges among the news, the backtest cannot tell how early an alert comes"


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more
