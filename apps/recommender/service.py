"""The recommender's one facade: lists that are logged with their propensity, and profiles that are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import uuid4

from apps.recommender import tables
from apps.recommender.catalogue import MAX_WORDS, UserSummary, checked_words
from apps.recommender.config import ShopConfig
from apps.recommender.data import Item
from apps.recommender.model import Event, Kind, Ranked, Recommended, RecommenderModel, Visitor
from apps.recommender.splits import PICKS
from apps.recommender.texts import asked, shop_texts
from apps.recommender.wishes.wish import NO_WISH, Condition, Wish
from core.platform.auth.access import Principal
from core.platform.http.idempotency import used_for_another
from core.platform.inference.drift import WATCH
from core.platform.inference.metrics import DECISIONS, FEEDBACK
from core.platform.store import decisions
from core.platform.store.database import Session, Store
from core.platform.versions.live import LiveModel
from core.rl.explore import Explorer
from core.util.errors import NotFoundError

__all__ = [
    "LIST_LENGTH", "MAX_WORDS", "Condition", "Event", "Item", "Kind", "Recommended", "RecommenderService", "Shown",
    "UserSummary", "Visitor", "asked", "checked_words",
]  # fmt: skip

LIST_LENGTH = PICKS

_VALUES: dict[Kind, float] = {"like": 1.0, "hide": -1.0}
_KINDS: dict[str, Kind] = {"like": "like", "hide": "hide"}


@dataclass(frozen=True)
class Shown:
    """A list that was shown.

    Attributes:
        visitor: Visitor whom it is for.
        items: Items, best first.
        likes: Items that the visitor likes, newest first.
        decision: Id to name when something is done with an item of the list; None where the policy was not asked.
        wish: Reading of the visitor's words.
        unmet: Conditions of the wish that no item meets beside the others.
    """

    visitor: Visitor
    items: list[Recommended]
    likes: Sequence[Item]
    decision: str | None
    wish: Wish = NO_WISH
    unmet: tuple[Condition, ...] = ()

    @property
    def is_not_understood(self) -> bool:
        """Whether the visitor's words ask for nothing here, so that the list is what everybody likes."""
        return bool(self.visitor.words) and self.wish.is_empty

    @property
    def notes(self) -> list[str]:
        """Keys of what there is to say: why the list is short, or is not what the words ask for."""
        is_short = len(self.items) < LIST_LENGTH
        notes = {
            "not_understood": self.is_not_understood,
            "partly_read": self.wish.is_partly_read,
            "fewer": is_short and bool(self.wish.conditions),
            "all_seen": is_short and not self.wish.conditions,
        }
        return [key for key, holds in notes.items() if holds]


class RecommenderService:
    """Shows lists, and keeps what people do with the items.

    Args:
        store: Store that keeps events and shown lists.
        live: Model of the version that serves at the moment.
        explorer: Picks lists by their probability.
    """

    def __init__(self, store: Store, live: LiveModel[RecommenderModel], explorer: Explorer) -> None:
        self.store, self.live, self.explorer = store, live, explorer
        model, _ = live.current
        self.app, self.catalogue = model.task.name, model.catalogue
        self.config: ShopConfig = model.task.workspace.config
        self.texts = shop_texts(self.config.words, self.app)
        self._keep_items()

    async def show(self, principal: Principal, visitor: Visitor, *, with_profile: bool = False) -> Shown:
        """A list for a visitor, logged with its propensity.

        Args:
            principal: Person who asks.
            visitor: Visitor whom the list is for.
            with_profile: Whether what the principal did before counts, too.

        Raises:
            SteerError: Unknown user or item, or words that are too long or no text.
        """
        if not with_profile:
            return await self._show(principal, visitor)

        def known(session: Session) -> tuple[Visitor, str | None]:
            return self._profile(principal.name, session), tables.newest_key(session, self.app, principal.name)

        profile, newest = await self.store.read(known)
        return await self._show(principal, replace(visitor, events=(*profile.events, *visitor.events)), newest)

    async def profile(self, principal: Principal) -> Visitor:
        """The principal as a visitor, with the last thing that they did with each item."""
        return await self.store.read(partial(self._profile, principal.name))

    async def events(self, principal: Principal, limit: int, offset: int = 0) -> list[Event]:
        """What the principal did behind the first `offset` events, oldest first."""
        found = await self.store.read(lambda session: tables.events(session, self.app, principal.name, limit, offset))
        return [Event(_KINDS[event.kind], event.item) for event in found]

    async def note(
        self, principal: Principal, event: Event, decision: str | None = None, key: str | None = None
    ) -> str:
        """Keep what the principal did with an item.

        Args:
            principal: Person who did it.
            event: Like or hide.
            decision: Id of the list that showed the item.
            key: Key of the sender's choice; what is sent again with the same key counts once.

        Returns:
            The key that it is kept under.

        Raises:
            NotFoundError: No such list was shown to the principal, or not with this item.
            ConflictError: The key came with another event before.
            SteerError: There is no such item.
        """
        key = key or uuid4().hex
        if await self.store.write(partial(self._keep, principal, event, decision, key)):
            _count(self.app, event)
        return key

    async def react(
        self, principal: Principal, event: Event, decision: str | None = None, visitor: Visitor | None = None
    ) -> Shown:
        """Keep what the principal did with an item, and show the list that follows from it.

        Args:
            principal: Person who did it.
            event: Like or hide.
            decision: Id of the list that showed the item.
            visitor: Further words on their taste, and what was shown in this visit before.

        Raises:
            SteerError: See `note` and `show`.
        """
        key = uuid4().hex

        def kept(session: Session) -> Visitor:
            self._keep(principal, event, decision, key, session)
            return self._profile(principal.name, session)

        profile = await self.store.write(kept)
        _count(self.app, event)
        return await self._show(principal, replace(visitor or Visitor(), events=profile.events), key)

    async def undo(self, principal: Principal) -> bool:
        """Undo the principal's last like or hide; whether there was one."""
        return await self.store.write(partial(_undo, self.app, principal.name))

    async def forget(self, principal: Principal) -> int:
        """Erase the principal's profile and the lists that were shown to them; how many likes and hides that were."""
        return await self.store.erase(partial(_forget, self.app, principal.name))

    async def _show(self, principal: Principal, visitor: Visitor, newest: str | None = None) -> Shown:
        """A list for a visitor; `newest` is the key of the last event of the profile that it rests on."""
        model, version = self.live.current
        ranked = await model.rank(visitor, self.explorer)
        likes = [self.catalogue.data.items[row] for row in reversed(ranked.liked)]
        decision = await self._log(principal, version, ranked, newest)
        return Shown(visitor, ranked.items, likes, decision, ranked.wish, ranked.unmet)

    async def _log(self, principal: Principal, version: str, ranked: Ranked, newest: str | None) -> str | None:
        """Keep a list, unless the profile behind it was erased while it was made; its id."""
        choice = ranked.choice
        if choice is None:
            return None
        sure = 1 - ranked.items[1].score if len(ranked.items) > 1 else 1.0  # how far the first item stands out

        def kept(session: Session) -> str | None:
            principal.hold(session)
            if newest is not None and not tables.is_kept(session, principal.name, newest):
                return None
            return decisions.keep(
                session,
                app=self.app,
                owner=principal.name,
                version=version,
                state={**choice.state, "confidence": sure},
                action=choice.action,
                propensity=choice.propensity,
            )

        decision = await self.store.write(kept)
        DECISIONS.labels(self.app, version, "list").inc()
        WATCH.note(self.app, "inputs", sure)
        return decision

    def _keep(self, principal: Principal, event: Event, decision: str | None, key: str, session: Session) -> bool:
        """Note an event within a transaction; whether it was new."""
        item = self.catalogue.item(event.item)
        principal.hold(session)
        if decision is not None:
            _check_shown(session, self.app, principal, decision, item)
        row = {"kind": event.kind, "item": item.id, "decision_id": decision}
        is_new = tables.add_event(session, {"app": self.app, "owner": principal.name, "key": key, **row})
        if not is_new and not _is_same(tables.event(session, principal.name, key), row):
            raise used_for_another(key)
        if is_new and decision is not None:
            decisions.judge(session, decision, principal.name, _VALUES[event.kind], {}, subject=item.id)
        return is_new

    def _profile(self, owner: str, session: Session) -> Visitor:
        """What an owner did last with each item; items that the catalogue no longer holds are left out."""
        kept = [Event(_KINDS[kind], item) for kind, item in tables.last_events(session, self.app, owner)]
        return Visitor(events=tuple(event for event in kept if event.item in self.catalogue.data.rows))

    def _keep_items(self) -> None:
        rows = [
            {"key": item.id, "title": item.title, "attributes": {"year": item.year, "tags": list(item.tags)}}
            for item in self.catalogue.data.items
        ]
        with self.store.transaction() as session:
            tables.put_items(session, self.app, rows)


def _is_same(kept: tables.Event | None, row: Mapping[str, Any]) -> bool:
    return all(getattr(kept, name) == value for name, value in row.items())


def _check_shown(session: Session, app: str, principal: Principal, decision: str, item: Item) -> None:
    found = decisions.find(session, app, decision)
    if found is None or not principal.may_see(found.owner):
        raise NotFoundError("There is no such list of yours.")
    if item.id not in found.action:
        raise NotFoundError(f"That list did not show “{item.title}”; name the list that did, or none.")


def _undo(app: str, owner: str, session: Session) -> bool:
    event = tables.take_back_event(session, app, owner)
    if event is not None and event.decision_id is not None:
        before = tables.last_event(session, owner, event.decision_id, event.item)
        if before is None:
            decisions.withdraw(session, event.decision_id, owner, event.item)
        else:
            value = _VALUES[_KINDS[before.kind]]
            decisions.judge(session, event.decision_id, owner, value, {}, subject=event.item)
    return event is not None


def _forget(app: str, owner: str, session: Session) -> int:
    decisions.withdraw_all(session, app, owner)
    return tables.forget(session, app, owner)


def _count(app: str, event: Event) -> None:
    FEEDBACK.labels(app, "good" if event.kind == "like" else "bad").inc()
    WATCH.note(app, "outcomes", _VALUES[event.kind])
