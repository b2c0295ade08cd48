"""The monitor's HTTP API: read headlines, push news, watch trends and alerts."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from apps.finance_monitor.data import SENTIMENTS, Sentiment, Topic
from apps.finance_monitor.desk import Delivered, NewsDesk
from apps.finance_monitor.feed import Item, NewsTime
from apps.finance_monitor.service import MAX_HEADLINE
from apps.finance_monitor.tables import Alert
from core.platform.auth.access import Agent, CurrentPrincipal

MOST_ITEMS = 500

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Count = Annotated[int, Query(ge=1, le=500)]


class Headline(BaseModel):
    """What is to be read."""

    company: str = Field(default="", max_length=80, description="id or name of the company that it is about")
    headline: str = Field(min_length=1, max_length=MAX_HEADLINE)


class Headlines(BaseModel):
    """Several headlines at once."""

    items: list[Headline] = Field(min_length=1, max_length=MOST_ITEMS)


class HeadlineLabel(BaseModel):
    """Topic and sentiment from the point of view of a holder of the company's shares or debt."""

    topic: Topic
    sentiment: Sentiment
    probabilities: dict[Sentiment, float]


class PushedItem(BaseModel):
    """An item of news; sent again with the same key, it counts once."""

    key: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")
    time: NewsTime
    company: str = Field(min_length=1, max_length=80, pattern=r"^[^\x00]+$")
    headline: str = Field(min_length=1, max_length=MAX_HEADLINE, pattern=r"^[^\x00]+$")


class Push(BaseModel):
    """A delivery of a feed."""

    items: list[PushedItem] = Field(min_length=1, max_length=MOST_ITEMS)


class AlertLine(BaseModel):
    """A surge of bad news, and why it was raised."""

    id: int
    company: str
    opened: datetime
    state: str
    severity: str
    reason: dict[str, Any]

    @classmethod
    def of(cls, alert: Alert) -> "AlertLine":
        """As the store knows it."""
        return cls.model_validate(alert, from_attributes=True)


class Change(BaseModel):
    """One step of an alert's history."""

    time: datetime
    state: str
    who: str
    note: str


class AlertHistory(AlertLine):
    """An alert with what became of it, oldest step first."""

    history: list[Change]


class Taken(BaseModel):
    """What became of a delivery."""

    new: int = Field(description="items that were not known yet")
    alerts: list[AlertLine] = Field(description="alerts that it opened or raised")


class StoredItem(BaseModel):
    """An item with its latest label, if it has been read yet."""

    id: int
    time: datetime
    company: str
    headline: str
    topic: Topic | None = None
    sentiment: Sentiment | None = None


class WatchLine(BaseModel):
    """A company's line on the watchlist; `days` are bad stories on each of the last 14 days, oldest first."""

    company: str
    volume: int
    negative: float
    days: list[int]
    alerted: bool


class Note(BaseModel):
    """Why an alert was acknowledged."""

    note: str = Field(default="", max_length=2_000, pattern=r"^[^\x00]*$")


class Correction(BaseModel):
    """What a person says an item is about."""

    topic: Topic
    sentiment: Sentiment


def routes(desk: NewsDesk) -> APIRouter:
    """All routes of the app, under `/news`."""
    router = APIRouter(prefix="/news", tags=["finance monitor"])
    router.include_router(_news(desk))
    router.include_router(_alerts(desk))
    return router


def _news(desk: NewsDesk) -> APIRouter:
    router = APIRouter()

    @router.post("/labels")
    def labels(who: CurrentPrincipal, body: Headlines) -> list[HeadlineLabel]:
        """Read headlines; nothing of them is kept."""
        found = desk.service.read_all([(line.company, line.headline) for line in body.items])
        return [
            HeadlineLabel(
                topic=label.topic,
                sentiment=label.sentiment,
                probabilities=dict(zip(SENTIMENTS, label.sentiments, strict=True)),
            )
            for label in found
        ]

    @router.post("/items")
    def push(who: Agent, body: Push) -> Taken:
        """Push news: they are kept, read and watched."""
        taken = desk.push([Delivered(item.key, Item(**item.model_dump(exclude={"key"}))) for item in body.items])
        return Taken(new=taken.new, alerts=[AlertLine.of(alert) for alert in taken.alerts])

    @router.get("/items")
    def items(
        who: CurrentPrincipal, company: Annotated[str | None, Query(max_length=80)] = None, limit: Count = 50
    ) -> list[StoredItem]:
        """The newest items, of one company or of all."""
        return [
            StoredItem(
                id=item.id,
                time=item.time,
                company=item.company,
                headline=item.headline,
                topic=score.topic if score else None,
                sentiment=score.sentiment if score else None,
            )
            for item, score in desk.newest(company, limit)
        ]

    @router.put("/items/{number}/label", status_code=204)
    def correct(who: Agent, number: Number, body: Correction) -> Response:
        """Confirm or correct an item's label; the next version learns from it."""
        desk.correct(who, number, body.topic, body.sentiment)
        return Response(status_code=204)

    @router.get("/watchlist")
    def watchlist(who: CurrentPrincipal) -> list[WatchLine]:
        """Every company's last fortnight, those with alerts and bad news first."""
        return [WatchLine.model_validate(line, from_attributes=True) for line in desk.watchlist()]

    @router.get("/trends")
    def trends(
        who: CurrentPrincipal,
        company: Annotated[str | None, Query(max_length=80)] = None,
        topic: Topic | None = None,
        days: Annotated[int, Query(ge=1, le=84)] = 28,
    ) -> dict[str, list[int]]:
        """New stories a day of each sentiment, oldest day first."""
        return desk.trend(company, topic, days)

    return router


def _alerts(desk: NewsDesk) -> APIRouter:
    router = APIRouter()

    @router.get("/alerts")
    def alerts(who: CurrentPrincipal, limit: Count = 50) -> list[AlertLine]:
        """The newest alerts."""
        return [AlertLine.of(alert) for alert in desk.alerts(limit)]

    @router.get("/alerts/{number}")
    def alert(who: CurrentPrincipal, number: Number) -> AlertHistory:
        """One alert and what became of it."""
        found, history = desk.alert(number)
        changes = [Change.model_validate(change, from_attributes=True) for change in history]
        return AlertHistory(**AlertLine.of(found).model_dump(), history=changes)

    @router.post("/alerts/{number}/acknowledge")
    def acknowledge(who: Agent, number: Number, body: Note) -> AlertLine:
        """Say that a person has seen the alert."""
        return AlertLine.of(desk.acknowledge(who, number, body.note))

    return router
