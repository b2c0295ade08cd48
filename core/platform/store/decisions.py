"""Decisions with their propensities, and what people thought of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from core.platform.store.schema import Decision, Feedback, Table, new_id, now
from core.platform.store.upsert import put
from core.training import feedback as training
from core.training.feedback import DecisionWithFeedback, LoggedDecision

_DECISIONS = Table.metadata.tables[Decision.__tablename__]


def keep(
    session: Session,
    *,
    app: str,
    owner: str,
    version: str,
    state: Mapping[str, Any],
    action: Sequence[Any],
    propensity: float,
    decision_id: str | None = None,
) -> str:
    """Note a decision; see `Decision`. One that has no id yet gets a new one.

    Every answer of an app waits for this. So it goes to the table directly, in half the time of a record.

    Returns:
        Its id.
    """
    row = {"app": app, "owner": owner, "version": version, "propensity": propensity}
    row |= {"id": decision_id or new_id(), "state": dict(state), "action": list(action)}
    session.connection().execute(insert(_DECISIONS), row)
    return str(row["id"])


def find(session: Session, app: str, decision_id: str) -> Decision | None:
    """The decision of an id, whoever owns it; nobody erases it until the transaction ends."""
    decision = session.get(Decision, decision_id, with_for_update={"read": True, "key_share": True})
    return decision if decision is not None and decision.app == app else None


def judge(
    session: Session, decision_id: str, owner: str, value: float, metadata: Mapping[str, Any], subject: str = ""
) -> None:
    """Note what `owner` thinks of a decision; an earlier opinion of theirs is replaced.

    Args:
        session: Session of a transaction.
        decision_id: Id of the decision that is judged.
        owner: Name of the person.
        value: Opinion from -1 (wrong) to 1 (right).
        metadata: Values that the app wants to remember with it.
        subject: Identity of the item that the opinion is about; empty for the whole decision.
    """
    row = {"decision_id": decision_id, "owner": owner, "subject": subject, "value": value, "about": dict(metadata)}
    put(session, Feedback, [{**row, "time": now()}], ["decision_id", "owner", "subject"])


def withdraw(session: Session, decision_id: str, owner: str, subject: str) -> None:
    """Forget what `owner` thought of an item of a decision."""
    where = (Feedback.decision_id == decision_id, Feedback.owner == owner, Feedback.subject == subject)
    session.execute(delete(Feedback).where(*where))


def withdraw_all(session: Session, app: str, owner: str) -> None:
    """Forget what `owner` thought of any decision of an app."""
    of_app = select(Decision.id).where(Decision.app == app)
    session.execute(delete(Feedback).where(Feedback.owner == owner, Feedback.decision_id.in_(of_app)))


def judged(
    session: Session, app: str, since: datetime | None = None, until: datetime | None = None
) -> list[DecisionWithFeedback]:
    """Decisions that somebody judged, oldest first.

    Args:
        session: Session to read with.
        app: Name of the app whose decisions are wanted.
        since: Moment after which the feedback came.
        until: Last moment at which it came.
    """
    wanted = select(Decision, Feedback).join(Feedback, Feedback.decision_id == Decision.id).where(Decision.app == app)
    if since is not None:
        wanted = wanted.where(Feedback.time > since)
    if until is not None:
        wanted = wanted.where(Feedback.time <= until)
    ordered = wanted.order_by(Decision.time, Decision.id, Feedback.time, Feedback.id)
    return [
        DecisionWithFeedback(_logged(decision), tuple(_opinion(feedback) for _, feedback in rows))
        for decision, rows in groupby(session.execute(ordered), key=lambda row: row[0])
    ]


def made(session: Session, app: str, since: datetime | None = None) -> list[Decision]:
    """Every decision, judged or not, oldest first."""
    wanted = select(Decision).where(Decision.app == app)
    if since is not None:
        wanted = wanted.where(Decision.time > since)
    return list(session.scalars(wanted.order_by(Decision.time, Decision.id)))


def count(session: Session, app: str) -> int:
    """Number of decisions that were made."""
    return session.scalar(select(func.count()).where(Decision.app == app)) or 0


def _logged(row: Decision) -> LoggedDecision:
    return LoggedDecision(row.id, row.state, row.action, row.propensity, row.time)


def _opinion(row: Feedback) -> training.Feedback:
    return training.Feedback(row.owner, row.subject, row.value, row.about, row.time)
