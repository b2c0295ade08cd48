"""Decisions with their propensities, and what people thought of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.store.schema import Decision, Feedback, now
from core.store.upsert import put


@dataclass(frozen=True)
class Judged:
    """A decision and the mean of what people said about it."""

    decision: Decision
    value: float


def find(session: Session, app: str, identity: str) -> Decision | None:
    """The decision of an id, whoever owns it."""
    decision = session.get(Decision, identity)
    return decision if decision is not None and decision.app == app else None


def judge(session: Session, decision: Decision, owner: str, value: float, about: Mapping[str, Any]) -> None:
    """Note what `owner` thinks of a decision; an earlier opinion of theirs is replaced.

    Args:
        session: of a transaction.
        decision: that is judged.
        owner: who says so.
        value: from -1 (wrong) to 1 (right).
        about: whatever the app wants to remember with it.
    """
    row = {"decision_id": decision.id, "owner": owner, "value": value, "about": dict(about), "time": now()}
    put(session, Feedback, [row], ["decision_id", "owner"])


def judged(session: Session, app: str, since: datetime | None = None) -> list[Judged]:
    """Decisions that somebody judged, oldest first.

    Args:
        session: to read with.
        app: whose decisions.
        since: only those that were judged later.
    """
    opinions = select(Feedback.decision_id, func.avg(Feedback.value).label("value")).group_by(Feedback.decision_id)
    if since is not None:
        opinions = opinions.having(func.max(Feedback.time) > since)
    opinion = opinions.subquery()
    rows = (
        select(Decision, opinion.c.value)
        .join(opinion, opinion.c.decision_id == Decision.id)
        .where(Decision.app == app)
        .order_by(Decision.time, Decision.id)
    )
    return [Judged(row[0], float(row[1])) for row in session.execute(rows)]


def count(session: Session, app: str) -> int:
    """How many decisions were made."""
    return session.scalar(select(func.count()).where(Decision.app == app)) or 0
