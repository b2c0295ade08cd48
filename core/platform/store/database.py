"""Opening the store: SQLite by default, PostgreSQL by URL, brought up to date by migrations."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from filelock import FileLock
from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from core.platform.store.app_tables import migrations
from core.platform.store.group_commit import GroupCommit
from core.util.batching import Batcher
from core.util.errors import SteerError, UnavailableError

__all__ = ["Session", "Store", "open_store", "sqlite_url"]

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_SECONDS = 30

Result = TypeVar("Result")
Begin = Callable[[], AbstractContextManager[Session]]
Operation = Callable[[Session], Result]


class Store:
    """A database with the tables of `core.platform.store.schema` and of the installed apps.

    Args:
        engine: Engine of a database that is up to date.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writing = sessionmaker(engine, expire_on_commit=False)
        self._reading = sessionmaker(engine.execution_options(reads_only=True), expire_on_commit=False)
        # SQLite lets one write at a time, and those that wait look again ever more seldom: threads queue here instead.
        is_alone = engine.dialect.name == "sqlite"
        self._turn: AbstractContextManager[object] = threading.Lock() if is_alone else nullcontext()
        self._on_disk = GroupCommit(_write_ahead_log(engine.url)) if is_alone else _already_on_disk
        self._reads: Batcher[Operation[Any], Any] = _batched(self.reading, "reads")
        self._writes: Batcher[Operation[Any], Any] = _batched(self.transaction, "writes")

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose changes are all on disk when the block has ended well, and none of them otherwise.

        Records stay readable afterwards.

        Raises:
            SteerError: The database cannot hold a value.
            UnavailableError: It does not answer.
        """
        with self._turn, self._begun(self._writing) as session:
            yield session
        try:
            self._on_disk()
        except OSError as error:
            raise _unreachable(self.engine.url, error) from error

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that changes nothing, and so never waits for those that do.

        Raises:
            SteerError: The database cannot hold a value.
            UnavailableError: It does not answer.
        """
        with self._begun(self._reading) as session:
            yield session

    async def write(self, operation: Operation[Result]) -> Result:
        """What `operation` returns for a session, its changes on disk.

        Requests that come at the same time share a transaction: beginning and ending it, and the disk, cost more than
        what one of them writes. Should one of them fail, each gets a transaction of its own, and is called once more.

        Raises:
            Exception: What `operation` raises; see also `transaction`.
        """
        result: Result = await self._writes.answer(operation)
        return result

    async def read(self, operation: Operation[Result]) -> Result:
        """`write` for what changes nothing; see `reading`."""
        result: Result = await self._reads.answer(operation)
        return result

    @contextmanager
    def _begun(self, sessions: sessionmaker[Session]) -> Iterator[Session]:
        try:
            with sessions.begin() as session:
                yield session
        except (DataError, UnicodeEncodeError) as error:  # a NUL, half of a surrogate pair
            raise SteerError(f"the store cannot keep that: {_reason(error)}") from error
        except DBAPIError as error:
            if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
                raise _unreachable(self.engine.url, error) from error
            raise

    def ping(self) -> None:
        """Ask the database for an answer.

        Raises:
            UnavailableError: There was none.
        """
        with self.reading() as session:
            session.execute(select(1))

    @property
    def url(self) -> URL:
        """Where the database lies, password included."""
        return self.engine.url

    def close(self) -> None:
        """Finish what was taken, and give back every connection."""
        self._reads.close()
        self._writes.close()
        self.engine.dispose()


def _batched(begin: Begin, name: str) -> Batcher[Operation[Any], Any]:
    # Nobody knows whether a store that no longer answers had committed: to try again could write twice.
    return Batcher(partial(_run_all, begin), delay=0.0, name=name, final=(UnavailableError,))


def _run_all(begin: Begin, operations: list[Operation[Any]]) -> list[Any]:
    with begin() as session:
        return [operation(session) for operation in operations]


def sqlite_url(file: Path) -> str:
    """URL of an SQLite store in a file."""
    return f"sqlite:///{file.resolve()}"


def _write_ahead_log(url: URL) -> Path:
    return Path(f"{url.database}-wal")


def _already_on_disk() -> None:
    """PostgreSQL puts each commit on disk by itself, and shares the wait too."""


def open_store(url: str) -> Store:
    """Open a store, create it if need be, and bring its tables up to date.

    Args:
        url: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`.

    Raises:
        SteerError: The URL is malformed.
        UnavailableError: The database cannot be reached or opened.
    """
    engine = _engine(url)
    try:
        with _lock(engine.url):
            _upgrade(engine)
    except (DBAPIError, OSError) as error:
        raise _unreachable(engine.url, error) from error
    return Store(engine)


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
            return create_engine(parsed, pool_pre_ping=True, pool_size=10, max_overflow=20, hide_parameters=True)
        if parsed.get_backend_name() != "sqlite":
            raise SteerError(f"the store speaks sqlite and postgresql, not {parsed.get_backend_name()}")
        engine = create_engine(parsed, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True)
    except ArgumentError as error:
        raise SteerError(
            f"{url!r} is no store; write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
        ) from error
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise SteerError("PostgreSQL needs an extra: pip install 'steer[postgres]'") from error
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    reads_only = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


def _prepare_sqlite(connection: Any, record: Any) -> None:
    """Write-ahead log, which `GroupCommit` puts on disk instead of each commit, and our own BEGIN.

    Python's driver would begin a transaction at its first write, when two readers that turn writers already block each
    other; `BEGIN IMMEDIATE` waits its turn instead (SQLAlchemy's documentation, "pysqlite: Serializable isolation").
    """
    del record
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={_BUSY_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextmanager
def _lock(url: URL) -> Iterator[None]:
    """Two processes that start together must not both create the tables; PostgreSQL's migration locks for itself."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        yield
        return
    file = Path(str(url.database))
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock", timeout=_BUSY_SECONDS * 2):
        yield


def _upgrade(engine: Engine) -> None:
    with engine.begin() as connection:
        for version_table, folder in migrations().items():
            config = Config(attributes={"connection": connection, "version_table": version_table})
            config.set_main_option("script_location", str(_MIGRATIONS))
            config.set_main_option("version_locations", str(folder))
            config.set_main_option("path_separator", "newline")
            command.upgrade(config, "head")


def _unreachable(url: URL, error: Exception) -> UnavailableError:
    return UnavailableError(f"the store {url.render_as_string(hide_password=True)} does not answer: {_reason(error)}")


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", error)).strip().splitlines()[0]
