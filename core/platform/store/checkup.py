"""A look at a store that changes nothing in it: neither is it made, nor are its tables brought up to date."""

from dataclasses import dataclass

from sqlalchemy import inspect

from core.platform import timeouts
from core.platform.store import summary
from core.platform.store.database import Store, make_engine, shown_url
from core.platform.store.migrate import is_current


@dataclass(frozen=True)
class StoreState:
    """What a look at a store found.

    Attributes:
        url: URL of the store without its password.
        revision: Names of the last migrations that it went through, see `summary.revision`; None for a database without
            tables.
        is_current: Whether this version of Steer has no further migration for it.
    """

    url: str
    revision: str | None
    is_current: bool


def check_store(url: str) -> StoreState:
    """Make sure that a store which exists can be read, and written if its tables are up to date.

    Args:
        url: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`.

    Raises:
        SteerError: The URL is malformed, or the store is one of a newer Steer.
        UnavailableError: The database does not answer, or takes no writes.
    """
    engine, patience = make_engine(url)
    patience.statement, patience.answer = timeouts.STATEMENT_SECONDS, timeouts.ANSWER_SECONDS
    store = Store(engine)
    try:
        with store.reading() as session:
            is_made = inspect(session.connection()).has_table("alembic_version")
            revision = summary.revision(session) if is_made else None
            found = StoreState(shown_url(engine.url), revision, is_current(session.connection()))
        if found.is_current:
            store.ping()
        return found
    finally:
        store.close()
