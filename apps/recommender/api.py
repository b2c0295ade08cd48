"""The recommender's HTTP API: lists, profiles, users, search."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from apps.recommender.service import (
    MAX_WORDS,
    Event,
    Item,
    Recommended,
    RecommenderService,
    Shown,
    Visitor,
    asked,
)
from core.platform.apps.texts import Texts
from core.platform.auth.access import CurrentPrincipal
from core.platform.http.idempotency import IdempotencyKey
from core.platform.http.parameters import Limit, Offset, RequestBody

Id = Annotated[str, Field(min_length=1, max_length=200, description="id of the item, as the shop writes it")]

Say = Callable[..., str]


class ItemLine(BaseModel):
    """An item; `id` stands for it in events."""

    id: str
    title: str
    year: int | None
    tags: list[str]
    price: float | None

    @classmethod
    def of(cls, item: Item) -> "ItemLine":
        """From what the service knows."""
        return cls(id=item.id, title=item.title, year=item.year, tags=list(item.tags), price=item.price)


class Reason(BaseModel):
    """Why an item is on the list."""

    kind: str
    about: str = Field(description="the item, word, tag or conditions of your wish that it rests on; may be empty")


class ListedItem(ItemLine):
    """An item of a list; `score` is relative to the first one's."""

    score: float
    reason: Reason

    @classmethod
    def listed(cls, item: Recommended, say: Say) -> "ListedItem":
        """From what the service knows."""
        about = item.reason.about or asked(item.reason.conditions, say)
        reason = Reason(kind=item.reason.kind, about=about)
        return cls(**vars(ItemLine.of(item.item)), score=item.score, reason=reason)


class ItemList(BaseModel):
    """A list; well-loved items of many kinds for somebody of whom nothing is known."""

    items: list[ListedItem]
    decision: str | None = Field(
        description="name it when you send what was done with an item of the list; null for a newcomer's list"
    )
    heard: list[str] = Field(default=[], description="conditions that were read in your words; the items meet them")
    unmet: list[str] = Field(default=[], description="those that no item meets beside the others")
    note: str | None = Field(
        default=None, description="Why the list has fewer than ten items, or is not what your words ask for."
    )

    @classmethod
    def of(cls, shown: Shown, texts: Texts) -> "ItemList":
        """From what the service knows."""
        say = partial(texts.say, request=None)
        items = [ListedItem.listed(item, say) for item in shown.items]
        heard = [asked([each], say) for each in shown.wish.conditions if each not in shown.unmet]
        notes = " ".join(say(key) for key in shown.notes)
        unmet = [asked([each], say) for each in shown.unmet]
        return cls(items=items, decision=shown.decision, heard=heard, unmet=unmet, note=notes or None)


class VisitEvent(RequestBody):
    """A like or hide."""

    kind: Literal["like", "hide"]
    item: Id


class Wish(RequestBody):
    """Whom a list is for: a known user, words, what they did in this visit, and your profile."""

    user: str | None = Field(default=None, min_length=1, max_length=200, description="id of a user whom the data know")
    words: str = Field(default="", max_length=MAX_WORDS)
    events: list[VisitEvent] = Field(default=[], max_length=500)
    profile: bool = Field(default=False, description="count what you did before")
    shown: list[Annotated[list[Id], Field(min_length=1, max_length=100)]] = Field(
        default=[],
        max_length=100,
        description="items of each list of this visit that the visitor has gone on from: none of them comes again",
    )


class NewEvent(VisitEvent):
    """What you did with an item."""

    decision: str | None = Field(default=None, pattern="^[0-9a-f]{32}$", description="the list that showed it")


class UserLine(BaseModel):
    """A user whom the data know."""

    user: str
    likes: int
    tags: list[str]


def routes(service: RecommenderService) -> APIRouter:
    """All routes of the app, under `/recommender`."""
    router = APIRouter(tags=["recommender"])
    router.include_router(_lists(service))
    router.include_router(_profile(service))
    return router


def _lists(service: RecommenderService) -> APIRouter:
    router = APIRouter()

    @router.post("/lists")
    async def show(principal: CurrentPrincipal, body: Wish) -> ItemList:
        """Ten items with their reasons, or as many as were neither seen nor hidden."""
        events = tuple(Event(event.kind, event.item) for event in body.events)
        visitor = Visitor(body.user, body.words, events, tuple(tuple(items) for items in body.shown))
        return ItemList.of(await service.show(principal, visitor, with_profile=body.profile), service.texts)

    @router.get("/users")
    def users(limit: Annotated[int, Query(ge=2, le=200)] = 24) -> list[UserLine]:
        """Some users whom the data know, from those with few likes to those with many."""
        return [UserLine.model_validate(user, from_attributes=True) for user in service.catalogue.users(limit)]

    @router.get("/items")
    def search(
        title: Annotated[str, Query(min_length=1, max_length=MAX_WORDS)],
        limit: Annotated[int, Query(ge=1, le=100)] = 10,
    ) -> list[ItemLine]:
        """Items whose title holds every word, the best known first."""
        return [ItemLine.of(item) for item in service.catalogue.search(title, limit)]

    @router.get("/items/{id_:path}")  # an id may hold slashes
    def item(id_: Annotated[str, Path(min_length=1, max_length=200)]) -> ItemLine:
        """One item."""
        return ItemLine.of(service.catalogue.item(id_))

    return router


def _profile(service: RecommenderService) -> APIRouter:
    router = APIRouter(prefix="/profile")

    @router.get("")
    async def read(principal: CurrentPrincipal, limit: Limit = 500, offset: Offset = 0) -> list[VisitEvent]:
        """What you did, oldest first; a page that is full may have a next one."""
        events = await service.events(principal, limit, offset)
        return [VisitEvent(kind=event.kind, item=event.item) for event in events]

    @router.post("/events", status_code=201)
    async def note(principal: CurrentPrincipal, body: NewEvent, key: IdempotencyKey = None) -> dict[str, str]:
        """Like or hide an item; the key that the event is kept under."""
        return {"key": await service.note(principal, Event(body.kind, body.item), body.decision, key)}

    @router.delete("/events/last")
    async def undo(principal: CurrentPrincipal) -> dict[str, bool]:
        """Undo your last like or hide; whether there was one."""
        return {"undone": await service.undo(principal)}

    @router.delete("")
    async def forget(principal: CurrentPrincipal) -> dict[str, int]:
        """Delete your profile; how many events that were."""
        return {"forgotten": await service.forget(principal)}

    return router
