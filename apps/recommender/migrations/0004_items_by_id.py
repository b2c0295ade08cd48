"""What people did with the shipped films, and the lists of them, name a film by its id and no longer by its row."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from apps.recommender.movielens import shipped_records

revision = "0004"
down_revision = "0003"

_SHIPPED = "recommender"
_KEY = sa.String(200)

_items = sa.table("items", sa.column("app", sa.String))
_events = sa.table("events", sa.column("id", sa.Integer), sa.column("app", sa.String), sa.column("item", _KEY))
_feedback = sa.table(
    "feedback", sa.column("id", sa.Integer), sa.column("decision_id", sa.String), sa.column("subject", _KEY)
)
_decisions = sa.table(
    "decisions",
    sa.column("id", sa.String),
    sa.column("app", sa.String),
    sa.column("state", sa.JSON),
    sa.column("action", sa.JSON),
)


def upgrade() -> None:
    """From rows to ids; the service keeps the films themselves anew."""
    if _is_used():
        _rename({str(row): id_ for row, id_ in enumerate(_shipped_ids())})


def downgrade() -> None:
    """From ids to rows."""
    if _is_used():
        _rename({id_: str(row) for row, id_ in enumerate(_shipped_ids())})


def _is_used() -> bool:
    connection = op.get_bind()
    tables = (_events, _decisions)
    return any(connection.scalar(sa.select(sa.func.count()).where(each.c.app == _SHIPPED)) for each in tables)


def _shipped_ids() -> list[str]:
    return [str(record.values["movieId"]) for record in shipped_records("items").read()]


def _rename(names: Mapping[str, str]) -> None:
    connection = op.get_bind()
    connection.execute(sa.delete(_items).where(_items.c.app == _SHIPPED))
    done = sa.select(_events.c.id, _events.c.item).where(_events.c.app == _SHIPPED)
    for id_, item in _rows(done):
        connection.execute(sa.update(_events).where(_events.c.id == id_).values(item=names.get(item, item)))
    theirs = sa.select(_decisions.c.id).where(_decisions.c.app == _SHIPPED)
    opinions = sa.select(_feedback.c.id, _feedback.c.subject).where(_feedback.c.decision_id.in_(theirs))
    kept = [(id_, subject) for id_, subject in _rows(opinions) if subject]
    # First to what nothing is called, for a list has one opinion of each film.
    for rename in (lambda subject: f"/{subject}", lambda subject: names.get(subject, subject)):
        for id_, subject in kept:
            connection.execute(sa.update(_feedback).where(_feedback.c.id == id_).values(subject=rename(subject)))
    lists = sa.select(_decisions.c.id, _decisions.c.state, _decisions.c.action).where(_decisions.c.app == _SHIPPED)
    for id_, state, action in _rows(lists):
        # The first version logged places among the candidates.
        films = [film if isinstance(film, str) else _at(state, film) for film in action]
        named = {key: _named(state[key], names) for key in ("history", "candidates") if key in state}
        renamed = {"state": {**state, **named}, "action": _named(films, names)}
        connection.execute(sa.update(_decisions).where(_decisions.c.id == id_).values(**renamed))


def _rows(wanted: sa.Select[Any]) -> Sequence[Any]:
    return op.get_bind().execute(wanted).all()


def _at(state: Mapping[str, Any], place: int) -> str:
    candidates = state.get("candidates", ())
    return str(candidates[place]) if place < len(candidates) else str(place)


def _named(films: list[Any], names: Mapping[str, str]) -> list[str]:
    return [names.get(str(film), str(film)) for film in films]
