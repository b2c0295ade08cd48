"""The recommender's HTTP API: lists, profiles, users, search."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from apps.recommender.service import (
    LIST_LENGTH,
    MAX_WORDS,
    Event,
    Film,
    Recommended,
    RecommenderService,
    Shown,
    Visitor,
)
from apps.recommender.texts import TEXTS
from core.platform.auth.access import CurrentPrincipal
from core.platform.http.idempotency import IdempotencyKey
from core.platform.http.parameters import Limit, Offset, RequestBody

Row = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1, description="row of the film")]


class FilmLine(BaseModel):
    """A film; `row` stands for it in events."""

    row: int
    title: str
    year: int
    genres: list[str]

    @classmethod
    def of(cls, film: Film) -> "FilmLine":
        """From what the service knows."""
        return cls(row=film.row, title=film.title, year=film.year, genres=list(film.genres))


class Reason(BaseModel):
    """Why a film is on the list."""

    kind: str
    about: str = Field(description="the film, word or genre that it rests on; may be empty")


class ListedFilm(FilmLine):
    """A film of a list; `score` is relative to the first one's."""

    score: float
    reason: Reason

    @classmethod
    def listed(cls, film: Recommended) -> "ListedFilm":
        """From what the service knows."""
        reason = Reason(kind=film.reason.kind, about=film.reason.about)
        return cls(**vars(FilmLine.of(film.film)), score=film.score, reason=reason)


class FilmList(BaseModel):
    """A list; well-loved films of many kinds for somebody of whom nothing is known."""

    films: list[ListedFilm]
    decision: str | None = Field(
        description="name it when you send what was done with a film of the list; null for a newcomer's list"
    )
    note: str | None = Field(default=None, description="Why the list has fewer than ten films.")

    @classmethod
    def of(cls, shown: Shown) -> "FilmList":
        """From what the service knows."""
        films = [ListedFilm.listed(film) for film in shown.films]
        is_short = len(films) < LIST_LENGTH
        return cls(films=films, decision=shown.decision, note=TEXTS.texts["all_seen"][0] if is_short else None)


class VisitEvent(RequestBody):
    """A like or hide."""

    kind: Literal["like", "hide"]
    film: Row


class Wish(RequestBody):
    """Whom a list is for: a known user, words, what they did in this visit, and your profile."""

    user: int | None = Field(
        default=None, strict=True, ge=0, le=2**31 - 1, description="number of a user of the shipped data"
    )
    words: str = Field(default="", max_length=MAX_WORDS)
    events: list[VisitEvent] = Field(default=[], max_length=500)
    profile: bool = Field(default=False, description="count what you did before")


class NewEvent(VisitEvent):
    """What you did with a film."""

    decision: str | None = Field(default=None, pattern="^[0-9a-f]{32}$", description="the list that showed it")


class UserLine(BaseModel):
    """A user of the shipped data."""

    user: int
    likes: int
    genres: list[str]


def routes(service: RecommenderService) -> APIRouter:
    """All routes of the app, under `/recommender`."""
    router = APIRouter(tags=["recommender"])
    router.include_router(_lists(service))
    router.include_router(_profile(service))
    return router


def _lists(service: RecommenderService) -> APIRouter:
    router = APIRouter()

    @router.post("/lists")
    async def show(principal: CurrentPrincipal, body: Wish) -> FilmList:
        """Ten films with their reasons, or as many as were neither seen nor hidden."""
        visitor = Visitor(body.user, body.words, tuple(Event(event.kind, event.film) for event in body.events))
        return FilmList.of(await service.show(principal, visitor, with_profile=body.profile))

    @router.get("/users")
    def users(limit: Annotated[int, Query(ge=2, le=200)] = 24) -> list[UserLine]:
        """Some users of the shipped data, from those with few likes to those with many."""
        return [UserLine.model_validate(user, from_attributes=True) for user in service.catalogue.users(limit)]

    @router.get("/films")
    def search(
        title: Annotated[str, Query(min_length=1, max_length=MAX_WORDS)],
        limit: Annotated[int, Query(ge=1, le=100)] = 10,
    ) -> list[FilmLine]:
        """Films whose title holds every word, the best known first."""
        return [FilmLine.of(film) for film in service.catalogue.search(title, limit)]

    @router.get("/films/{row}")
    def film(row: Annotated[int, Path(ge=0, le=2**31 - 1)]) -> FilmLine:
        """One film."""
        return FilmLine.of(service.catalogue.film(row))

    return router


def _profile(service: RecommenderService) -> APIRouter:
    router = APIRouter(prefix="/profile")

    @router.get("")
    async def read(principal: CurrentPrincipal, limit: Limit = 500, offset: Offset = 0) -> list[VisitEvent]:
        """What you did, oldest first; a page that is full may have a next one."""
        events = await service.events(principal, limit, offset)
        return [VisitEvent(kind=event.kind, film=event.film) for event in events]

    @router.post("/events", status_code=201)
    async def note(principal: CurrentPrincipal, body: NewEvent, key: IdempotencyKey = None) -> dict[str, str]:
        """Like or hide a film; the key that the event is kept under."""
        return {"key": await service.note(principal, Event(body.kind, body.film), body.decision, key)}

    @router.delete("/events/last")
    async def undo(principal: CurrentPrincipal) -> dict[str, bool]:
        """Undo your last like or hide; whether there was one."""
        return {"undone": await service.undo(principal)}

    @router.delete("")
    async def forget(principal: CurrentPrincipal) -> dict[str, int]:
        """Delete your profile; how many events that were."""
        return {"forgotten": await service.forget(principal)}

    return router
