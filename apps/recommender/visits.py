"""What the page and the API ask for: lists that are logged with their propensity, and profiles that are kept."""

from dataclasses import dataclass, replace
from uuid import uuid4

from apps.recommender import tables
from apps.recommender.service import Event, Kind, Recommended, RecommenderService, Visitor
from core.platform.auth.access import Principal
from core.platform.inference.drift import WATCH
from core.platform.inference.metrics import DECISIONS, FEEDBACK
from core.platform.store import decisions
from core.platform.store.database import Session, Store
from core.platform.versions.live import LiveModel
from core.rl.explore import Explorer
from core.util.errors import NotFoundError

APP = "recommender"


@dataclass(frozen=True)
class Shown:
    """A list that was shown.

    Attributes:
        films: best first.
        decision: id to name when something is done with a film of the list; None for an empty list.
    """

    films: list[Recommended]
    decision: str | None


class Visits:
    """Shows lists, and keeps what people do with the films.

    Args:
        store: where events and shown lists are kept.
        services: the ranker of the version that serves at the moment.
        explorer: picks lists by their probability.
    """

    def __init__(self, store: Store, services: LiveModel[RecommenderService], explorer: Explorer) -> None:
        self.store, self.services, self.explorer = store, services, explorer
        self._keep_films()

    @property
    def service(self) -> RecommenderService:
        """What ranks at the moment."""
        return self.services.current[0]

    async def show(self, principal: Principal, visitor: Visitor) -> Shown:
        """A list for a visitor, logged with its propensity.

        Raises:
            SteerError: unknown user or film, or words that are too long or no text.
        """
        service, version = self.services.current
        ranked = await service.rank(visitor, self.explorer)
        if ranked is None:
            return Shown([], None)
        sure = 1 - ranked.films[1].score  # how far the first film stands out
        decision = await self.store.write(
            lambda session: decisions.keep(
                session,
                app=APP,
                owner=principal.name,
                version=version,
                state={**ranked.state, "confidence": sure},
                action=ranked.action,
                propensity=ranked.propensity,
            )
        )
        DECISIONS.labels(APP, version, "list").inc()
        WATCH.note(APP, "inputs", sure)
        return Shown(ranked.films, decision)

    async def profile(self, principal: Principal) -> Visitor:
        """The current_principal as a visitor, with everything that they did so far."""
        events = await self.store.read(lambda session: tables.events(session, APP, principal.name))
        kinds: dict[str, Kind] = {"like": "like", "hide": "hide"}
        return Visitor(events=tuple(Event(kinds[event.kind], int(event.item)) for event in events))

    async def note(
        self, principal: Principal, event: Event, decision: str | None = None, key: str | None = None
    ) -> str:
        """Keep what the principal did with a film.

        Args:
            principal: did it.
            event: like or hide.
            decision: the list that showed the film.
            key: of the sender's choice; what is sent again with the same key counts once.

        Returns:
            The key that it is kept under.

        Raises:
            NotFoundError: no such list was shown to the principal.
            SteerError: there is no such film.
        """
        film, key = self.service.film(event.film), key or uuid4().hex
        if decision is not None:
            found = await self.store.read(lambda session: decisions.find(session, APP, decision))
            if found is None or not principal.may_see(found.owner):
                raise NotFoundError("There is no such list of yours.")
        row = {"app": APP, "owner": principal.name, "key": key, "kind": event.kind, "item": str(film.row)}
        value = 1.0 if event.kind == "like" else -1.0

        def kept(session: Session) -> bool:
            is_new = tables.add_event(session, {**row, "decision_id": decision})
            if is_new and decision is not None:
                decisions.judge(session, decision, principal.name, value, {}, subject=str(film.row))
            return is_new

        if await self.store.write(kept):
            FEEDBACK.labels(APP, "good" if value > 0 else "bad").inc()
            WATCH.note(APP, "outcomes", value)
        return key

    async def take_back(self, principal: Principal, key: str | None = None) -> bool:
        """Undo the principal's like or hide of a key, or their last one; whether there was one."""

        def undone(session: Session) -> bool:
            event = tables.take_back_event(session, APP, principal.name, key)
            if event is not None and event.decision_id is not None:
                decisions.withdraw(session, event.decision_id, principal.name, event.item)
            return event is not None

        return await self.store.write(undone)

    async def forget(self, principal: Principal) -> int:
        """Delete the principal's profile; how many events that were."""
        return await self.store.write(lambda session: tables.forget(session, APP, principal.name))

    async def for_profile(self, principal: Principal, visitor: Visitor) -> Visitor:
        """A visitor with the events of the principal's profile before those of the visit."""
        profile = await self.profile(principal)
        return replace(visitor, events=(*profile.events, *visitor.events))

    def _keep_films(self) -> None:
        rows = [
            {"key": str(row), "title": item.title, "attributes": {"year": item.year, "genres": list(item.genres)}}
            for row, item in enumerate(self.service.data.items)
        ]
        with self.store.transaction() as session:
            tables.put_items(session, APP, rows)
