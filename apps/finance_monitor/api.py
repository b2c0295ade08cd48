"""The monitor's HTTP API: read headlines, push news, watch trends and alerts."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import ConfigDict, Field

from apps.finance_monitor.service import (
    MAX_HEADLINE,
    AlertHistory,
    AlertLine,
    FeedState,
    Item,
    Label,
    MonitorService,
    Sentiment,
    StoredItem,
    Taken,
    Watch,
)
from core.platform.auth.access import Agent, CurrentPrincipal
from core.platform.http.parameters import Limit, RequestBody

MOST_ITEMS = 500

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Topic = Annotated[str | None, Query(max_length=40)]
Company = Annotated[str | None, Query(max_length=80)]


class Headline(RequestBody):
    """What is to be read."""

    company: str = Field(default="", max_length=80, description="id or name of the company that it is about")
    headline: str = Field(min_length=1, max_length=MAX_HEADLINE)


class Headlines(RequestBody):
    """Several headlines at once."""

    items: list[Headline] = Field(min_length=1, max_length=MOST_ITEMS)


class NewItem(Item):
    """An item of news; feeds may say more than the monitor reads, a request may not."""

    model_config = ConfigDict(extra="forbid")


class Push(RequestBody):
    """A delivery of a feed."""

    items: list[NewItem] = Field(min_length=1, max_length=MOST_ITEMS)


class Note(RequestBody):
    """Why an alert was acknowledged."""

    note: str = Field(default="", max_length=2_000, pattern=r"^[^\x00]*$")


class Correction(RequestBody):
    """What a person says an item is about."""

    topic: str = Field(max_length=40)
    sentiment: Sentiment


def routes(service: MonitorService) -> APIRouter:
    """All routes of the app, under `/news`."""
    router = APIRouter(tags=["finance monitor"])
    router.include_router(_news(service))
    router.include_router(_alerts(service))
    return router


def _news(service: MonitorService) -> APIRouter:
    router = APIRouter()

    @router.post("/labels")
    def labels(principal: CurrentPrincipal, body: Headlines) -> list[Label]:
        """Read headlines; nothing of them is kept."""
        return service.read([(line.company, line.headline) for line in body.items])

    @router.post("/items")
    def push(principal: Agent, body: Push) -> Taken:
        """Push news: they are kept, read and watched."""
        return service.push(body.items)

    @router.get("/items")
    def items(
        principal: CurrentPrincipal,
        company: Company = None,
        topic: Topic = None,
        sentiment: Sentiment | None = None,
        limit: Limit = 50,
    ) -> list[StoredItem]:
        """The newest items, of one company ("" for those that name none), topic or sentiment, or of all."""
        return service.items(limit, company, topic, sentiment)

    @router.get("/feeds")
    def feeds(principal: CurrentPrincipal) -> list[FeedState]:
        """How the feeds fare that this server follows."""
        return list(service.feeds.values())

    @router.put("/items/{number}/label", status_code=204)
    def correct(principal: Agent, number: Number, body: Correction) -> Response:
        """Confirm or correct an item's label; the next version learns from it."""
        service.correct(principal, number, body.topic, body.sentiment)
        return Response(status_code=204)

    @router.get("/watchlist")
    def watchlist(principal: CurrentPrincipal) -> list[Watch]:
        """Every company's last fortnight, those with alerts and bad news first."""
        return service.watchlist()

    @router.get("/trends")
    def trends(
        principal: CurrentPrincipal,
        company: Company = None,
        topic: Topic = None,
        days: Annotated[int, Query(ge=1, le=84)] = 28,
    ) -> dict[Sentiment, list[int]]:
        """New stories a day of each sentiment, oldest day first."""
        return service.trend(company, topic, days)

    return router


def _alerts(service: MonitorService) -> APIRouter:
    router = APIRouter()

    @router.get("/alerts")
    def alerts(principal: CurrentPrincipal, limit: Limit = 50) -> list[AlertLine]:
        """The newest alerts."""
        return service.alerts(limit)

    @router.get("/alerts/{number}")
    def alert(principal: CurrentPrincipal, number: Number) -> AlertHistory:
        """One alert and what became of it."""
        return service.alert(number)

    @router.post("/alerts/{number}/acknowledge")
    def acknowledge(principal: Agent, number: Number, body: Note) -> AlertLine:
        """Say that a person has seen the alert."""
        return service.acknowledge(principal, number, body.note)

    return router
