"""Erasing: a person out of every table, the apps' included, and what is older than it is to be kept."""

from datetime import datetime

from sqlalchemy import delete, func, inspect, select
from sqlalchemy.orm import Session

from core.platform.store import accounts
from core.platform.store.app_tables import migrations
from core.platform.store.database import Store
from core.platform.store.schema import Table
from core.util.errors import NotFoundError

_PORTION = 1000


def erase_person(session: Session, name: str) -> int:
    """Remove an account and everything that its user made; number of rows.

    Args:
        session: Session of a transaction.
        name: Name of the user; `local` is whoever used Steer without accounts.

    Raises:
        NotFoundError: There is no such account, and nothing is kept of anybody of that name.
        SteerError: Nobody could administer any more.
    """
    name = accounts.normal_name(name)
    # The account first: whoever is writing in its name ends before, and nobody begins afterwards.
    rows = accounts.delete_user(session, name)
    if name and name.isprintable():  # what is nobody's has the owner "", and PostgreSQL takes no NUL
        rows += sum(table.erase(session, name) for table in _tables())
    if not rows:
        raise NotFoundError(f"There is no user {name!r}, and nothing is kept of one.")
    return rows


def expired(session: Session, before: datetime) -> int:
    """Number of rows that `purge` would remove, without those that go with them; nothing is changed.

    Args:
        session: Session of a transaction, in which is tried what `purge` notes first.
        before: Moment before which rows are old.
    """
    with session.begin_nested() as trial:
        _settle(session, before)
        ages = ((table, table.expired(before)) for table in _tables())
        counted = (
            session.scalar(select(func.count()).select_from(table).where(old)) for table, old in ages if old is not None
        )
        rows = sum(count or 0 for count in counted)
        trial.rollback()
    return rows


def purge(store: Store, before: datetime) -> int:
    """Remove what is older than a moment, a portion at a time, so that others may write meanwhile; number of rows.

    Raises:
        UnavailableError: The database does not answer; what was removed until then is gone.
    """
    rows = 0
    with store.transaction() as session:
        _settle(session, before)
    for table in _tables():
        if (old := table.expired(before)) is None:
            continue
        (key,) = inspect(table).primary_key
        some = delete(table).where(key.in_(select(key).where(old).limit(_PORTION))).returning(key)
        gone = _PORTION
        while gone == _PORTION:
            with store.transaction() as session:
                gone = len(session.execute(some, execution_options={"synchronize_session": False}).all())
            rows += gone
    return rows


def _settle(session: Session, before: datetime) -> None:
    for table in _tables():
        table.settle(session, before)


def _tables() -> list[type[Table]]:
    migrations()  # makes the apps' tables known
    return sorted((mapper.class_ for mapper in Table.registry.mappers), key=lambda table: table.__name__)
