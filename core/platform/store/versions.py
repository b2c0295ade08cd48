"""Model versions, and which of them served when."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.platform.store.schema import ModelVersion, Promotion


def reserve(session: Session, app: str) -> None:
    """Make everybody else who reserves the app's versions wait until this transaction has ended."""
    if session.get_bind().dialect.name == "postgresql":  # a transaction of SQLite's is alone anyway
        session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"versions of {app}"))))


def next_number(session: Session, app: str) -> int:
    """One more than the number of the app's newest version; versions are called v0001, v0002, ..."""
    names = session.scalars(select(ModelVersion.name).where(ModelVersion.app == app))
    return max((int(name[1:]) for name in names), default=0) + 1


def add(
    session: Session, app: str, name: str, folder: str, fingerprint: str, metrics: Mapping[str, Any], note: str
) -> ModelVersion:
    """Register a new version, which does not serve yet.

    Args:
        session: Session of a transaction.
        app: Name of the app whose version it is.
        name: Name of the version, made of a number that `next_number` gave.
        folder: Folder of its files.
        fingerprint: Fingerprint of the data that it learnt from and was measured on.
        metrics: Values of a `core.platform.versions.metrics.Metrics`.
        note: Sentence for people that says where it comes from.
    """
    version = ModelVersion(app=app, name=name, folder=folder, fingerprint=fingerprint, metrics=dict(metrics), note=note)
    session.add(version)
    session.flush()
    return version


def registered(session: Session, app: str | None = None) -> list[ModelVersion]:
    """The versions of an app, or of all apps, each app's oldest first."""
    wanted = select(ModelVersion).order_by(ModelVersion.app, ModelVersion.created, ModelVersion.name)
    return list(session.scalars(wanted if app is None else wanted.where(ModelVersion.app == app)))


def find(session: Session, app: str, name: str) -> ModelVersion | None:
    """The version of a name."""
    return session.get(ModelVersion, (app, name))


def promote(session: Session, version: ModelVersion, requested_by: str, reason: str = "") -> Promotion:
    """Let a version serve from the end of the transaction on."""
    promotion = Promotion(app=version.app, version=version.name, who=requested_by, reason=reason)
    session.add(promotion)
    session.flush()
    return promotion


def newest_promotion(session: Session, app: str) -> Promotion | None:
    """The promotion that says which version serves."""
    return session.scalars(
        select(Promotion).where(Promotion.app == app).order_by(Promotion.id.desc()).limit(1)
    ).one_or_none()


def current(session: Session, app: str) -> ModelVersion | None:
    """The version that serves."""
    promotion = newest_promotion(session, app)
    return None if promotion is None else find(session, app, promotion.version)


def history(session: Session, app: str) -> list[Promotion]:
    """Every promotion of an app, oldest first."""
    return list(session.scalars(select(Promotion).where(Promotion.app == app).order_by(Promotion.id)))
