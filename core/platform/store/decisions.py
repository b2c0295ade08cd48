"""Decisions with their propensities, and what people thought of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from core.platform.store.schema import Decision, Event, Feedback, Table, new_id, now
from core.platform.store.upsert import put

Said = TypeVar("Said", Feedback, Event)

_AT_ONCE = 500
_DECISIONS = Table.metadata.tables[Decision.__tablename__]
# What people do with an item says something about the decision to show it.
_EVENT_VALUES = {"like": 1.0, "hide": -1.0}


@dataclass(frozen=True)
class DecisionWithFeedback:
    """A decision and what people made of it.

    Attributes:
        decision: with its state, action and propensity.
        opinions: what they said about it, one each, oldest first.
        events: what they did with the items that it showed, oldest first.
    """

    decision: Decision
    opinions: tuple[Feedback, ...]
    events: tuple[Event, ...]

    @property
    def value(self) -> float:
        """Mean of what they said and did, from -1 (wrong) to 1 (right)."""
        values = [opinion.value for opinion in self.opinions]
        values += [_EVENT_VALUES[event.kind] for event in self.events if event.kind in _EVENT_VALUES]
        return sum(values) / max(1, len(values))


def keep(
    session: Session,
    *,
    app: str,
    owner: str,
    version: str,
    state: Mapping[str, Any],
    action: Sequence[int],
    propensity: float,
) -> str:
    """Note a decision; see `Decision`.

    Every answer of an app waits for this. So it goes to the table directly, in half the time of a record.

    Returns:
        Its id.
    """
    row = {"app": app, "owner": owner, "version": version, "propensity": propensity}
    row |= {"id": new_id(), "state": dict(state), "action": list(action)}
    session.connection().execute(insert(_DECISIONS), row)
    return str(row["id"])


def find(session: Session, app: str, identity: str) -> Decision | None:
    """The decision of an id, whoever owns it."""
    decision = session.get(Decision, identity)
    return decision if decision is not None and decision.app == app else None


def judge(session: Session, decision: str, owner: str, value: float, about: Mapping[str, Any]) -> None:
    """Note what `owner` thinks of a decision; an earlier opinion of theirs is replaced.

    Args:
        session: of a transaction.
        decision: id of what is judged.
        owner: who says so.
        value: from -1 (wrong) to 1 (right).
        about: whatever the app wants to remember with it.
    """
    row = {"decision_id": decision, "owner": owner, "value": value, "about": dict(about), "time": now()}
    put(session, Feedback, [row], ["decision_id", "owner"])


def judged(
    session: Session, app: str, since: datetime | None = None, until: datetime | None = None
) -> list[DecisionWithFeedback]:
    """Decisions that somebody judged, or did something about, oldest first.

    Args:
        session: to read with.
        app: whose decisions.
        since: only what was said or done later.
        until: only what was said or done before, or just then.
    """
    opinions = _by_decision(session, Feedback, app, since, until)
    events = _by_decision(session, Event, app, since, until)
    found: dict[str, Decision] = {}
    ids = sorted({*opinions, *events})
    for at in range(0, len(ids), _AT_ONCE):
        wanted = select(Decision).where(Decision.id.in_(ids[at : at + _AT_ONCE]))
        found |= {decision.id: decision for decision in session.scalars(wanted)}
    return [
        DecisionWithFeedback(decision, tuple(opinions.get(decision.id, ())), tuple(events.get(decision.id, ())))
        for decision in sorted(found.values(), key=lambda decision: (decision.time, decision.id))
    ]


def made(session: Session, app: str, since: datetime | None = None) -> list[Decision]:
    """Every decision, judged or not, oldest first."""
    wanted = select(Decision).where(Decision.app == app)
    if since is not None:
        wanted = wanted.where(Decision.time > since)
    return list(session.scalars(wanted.order_by(Decision.time, Decision.id)))


def count(session: Session, app: str) -> int:
    """How many decisions were made."""
    return session.scalar(select(func.count()).where(Decision.app == app)) or 0


def _by_decision(
    session: Session, kind: type[Said], app: str, since: datetime | None, until: datetime | None
) -> dict[str, list[Said]]:
    wanted = select(kind).join(Decision, Decision.id == kind.decision_id).where(Decision.app == app)
    if since is not None:
        wanted = wanted.where(kind.time > since)
    if until is not None:
        wanted = wanted.where(kind.time <= until)
    found: dict[str, list[Said]] = {}
    for said in session.scalars(wanted.order_by(kind.time, kind.id)):
        found.setdefault(str(said.decision_id), []).append(said)
    return found
