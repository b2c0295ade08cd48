"""The tables. Every time is UTC and aware; every text that names a person's record is an unguessable id."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    JSON,
    ColumnElement,
    DateTime,
    ForeignKey,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    delete,
    update,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator

NAME, KEY = 80, 200


class UtcTime(TypeDecorator[datetime]):
    """Aware times; SQLite keeps none of the zone, so all are stored as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse times of no zone: which moment they mean is unknown."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """Base of all tables; constraints have names, so that migrations can speak of them.

    A table says itself what it holds of a person and which of its rows grow old: `core.platform.store.erasure` asks
    every one, the apps' too. Rows that refer to what goes must say `ondelete`.
    """

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcTime, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012

    @classmethod
    def erase(cls, session: Session, person: str) -> int:
        """Remove what the table holds of a person; number of rows. Rows with an `owner` are the owner's."""
        owner = cls.__table__.columns.get("owner")
        return 0 if owner is None else len(session.execute(delete(cls).where(owner == person).returning(owner)).all())

    @classmethod
    def expired(cls, before: datetime) -> ColumnElement[bool] | None:
        """Which rows are older than a moment; None for a table whose rows do not age."""
        return None

    @classmethod
    def settle(cls, session: Session, before: datetime) -> None:
        """Note what must outlive the rows that are older than a moment, before any of them goes."""


def new_id() -> str:
    """An id that nobody can guess."""
    return uuid4().hex


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


class User(Table):
    """A user account. `role` is `viewer`, `agent` or `admin`; `apps` names those that they may use, None for all."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(NAME), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(default=now)
    disabled: Mapped[bool] = mapped_column(default=False)
    apps: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    # Sessions signed before this moment are void: a new password ends them all.
    sessions_since: Mapped[datetime] = mapped_column(default=now)

    @classmethod
    def erase(cls, session: Session, person: str) -> int:
        """Remove the account of that name, with its keys."""
        return len(session.execute(delete(cls).where(cls.name == person).returning(cls.id)).all())


class ApiKey(Table):
    """A program's key; only its SHA-256 digest is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(NAME))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[datetime] = mapped_column(default=now)
    revoked: Mapped[datetime | None]


class EndedSession(Table):
    """A session that its user has ended; it is of no use any more once the session has lapsed."""

    __tablename__ = "ended_sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    time: Mapped[datetime] = mapped_column(default=now)


class Decision(Table):
    """What a policy did in a state, and how probable that was: what off-policy learning needs.

    `state` is what the app needs to build the observation again; `action` names what was done by identity, never by
    index; `propensity` is the probability with which the serving rule took it (1 where it takes the best one without
    exploring). `owner` is whose words or history the state holds, "" where it holds nobody's.
    """

    __tablename__ = "decisions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    app: Mapped[str] = mapped_column(String(NAME), index=True)
    owner: Mapped[str] = mapped_column(String(NAME), index=True)
    version: Mapped[str] = mapped_column(String(NAME))
    time: Mapped[datetime] = mapped_column(default=now, index=True)
    state: Mapped[dict[str, Any]]
    action: Mapped[list[Any]]
    propensity: Mapped[float]

    @classmethod
    def expired(cls, before: datetime) -> ColumnElement[bool]:
        """Decisions made before, with what was thought of them."""
        return cls.time < before


class Feedback(Table):
    """An opinion about a decision: `value` from -1 (wrong) to 1 (right); the newest opinion counts.

    `subject` names the item that the opinion is about, where a decision showed several; "" is the decision itself.
    """

    __tablename__ = "feedback"
    __table_args__ = (UniqueConstraint("decision_id", "owner", "subject"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    decision_id: Mapped[str] = mapped_column(ForeignKey("decisions.id", ondelete="CASCADE"), index=True)
    owner: Mapped[str] = mapped_column(String(NAME))
    subject: Mapped[str] = mapped_column(String(KEY), default="")
    value: Mapped[float]
    about: Mapped[dict[str, Any]] = mapped_column(default=dict)
    time: Mapped[datetime] = mapped_column(default=now)


class ModelVersion(Table):
    """A policy in a folder of its own; `reward` is measured on the fixed test set, with its interval in `metrics`."""

    __tablename__ = "model_versions"

    app: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    folder: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(String(128))
    metrics: Mapped[dict[str, Any]]
    note: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[datetime] = mapped_column(default=now)


class Promotion(Table):
    """One change of the version that serves; the newest of an app says which one does."""

    __tablename__ = "promotions"

    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str] = mapped_column(String(NAME), index=True)
    version: Mapped[str] = mapped_column(String(NAME))
    who: Mapped[str] = mapped_column(String(NAME))
    reason: Mapped[str] = mapped_column(Text, default="")
    time: Mapped[datetime] = mapped_column(default=now)

    @classmethod
    def erase(cls, session: Session, person: str) -> int:
        """Which version served when, and why, stays; by whose word goes."""
        return len(session.execute(update(cls).where(cls.who == person).values(who="").returning(cls.id)).all())


class Job(Table):
    """A workspace that is to be trained and evaluated, is being, or was.

    `runner` is the server that is at it and `seen` when it last said so; once that is long ago, another one takes over.
    """

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    workspace: Mapped[str] = mapped_column(String(NAME), index=True)
    state: Mapped[str] = mapped_column(String(16), default="queued", index=True)
    owner: Mapped[str] = mapped_column(String(NAME))
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[str] = mapped_column(Text, default="")
    attempts: Mapped[int] = mapped_column(default=0)
    runner: Mapped[str] = mapped_column(String(32), default="")
    created: Mapped[datetime] = mapped_column(default=now)
    started: Mapped[datetime | None]
    seen: Mapped[datetime | None]
    ended: Mapped[datetime | None]

    @classmethod
    def erase(cls, session: Session, person: str) -> int:
        """The work stays, and is nobody's: what it trains belongs to the company."""
        return len(session.execute(update(cls).where(cls.owner == person).values(owner="").returning(cls.id)).all())

    @classmethod
    def expired(cls, before: datetime) -> ColumnElement[bool]:
        """Jobs that ended before."""
        return cls.ended < before
