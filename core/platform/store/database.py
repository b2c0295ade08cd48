"""Opening the store: SQLite by default, PostgreSQL by URL, brought up to date by migrations."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    DBAPIError,
    InterfaceError,
    InternalError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker

from core.platform import timeouts
from core.platform.store.group_commit import GroupCommit
from core.platform.store.migrate import upgrade
from core.platform.store.outage import Outage
from core.platform.store.scrub import Scrubber
from core.platform.timeouts import Patience
from core.util.batching import Batcher
from core.util.errors import SteerError, UnavailableError

__all__ = ["Session", "Store", "open_store", "sqlite_url"]

_SAME_REVISION = text("UPDATE alembic_version SET version_num = version_num")

Result = TypeVar("Result")
Begin = Callable[[], AbstractContextManager[Session]]
Operation = Callable[[Session], Result]


class Store:
    """A database with the tables of `core.platform.store.schema` and of the installed apps.

    Args:
        engine: Engine of a database that is up to date.
        hurry: Callback that makes its connections impatient.

    Attributes:
        scrubber: Lets the traces of what was erased go.
    """

    def __init__(self, engine: Engine, hurry: Callable[[], None] = lambda: None) -> None:
        self.engine, self._hurry = engine, hurry
        self._outage = Outage(shown_url(engine.url))
        self._writing = sessionmaker(engine, expire_on_commit=False)
        self._reading = sessionmaker(engine.execution_options(reads_only=True), expire_on_commit=False)
        # SQLite lets one write at a time, and those that wait look again ever more seldom: threads queue here instead.
        is_alone = engine.dialect.name == "sqlite"
        self._turn = threading.Lock() if is_alone else None
        self._on_disk = GroupCommit(_write_ahead_log(engine.url)) if is_alone else _already_on_disk
        self._reads: Batcher[Operation[Any], Any] = _batched(self.reading, "reads")
        self._writes: Batcher[Operation[Any], Any] = _batched(self.transaction, "writes")
        self.scrubber = Scrubber(engine, self._in_turn, lambda error: self._out(_reason(error), writes=True))

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose changes are all on disk when the block has ended well, and none of them otherwise.

        Records stay readable afterwards.

        Raises:
            SteerError: The database cannot hold a value.
            UnavailableError: It does not answer, or takes no writes.
        """
        with self._in_turn(), self._begun(self._writing, writes=True) as session:
            yield session
        try:
            self._on_disk()
        except OSError as error:
            raise self._out(_reason(error), writes=True) from error
        self._outage.ends(writes=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that changes nothing, and so never waits for those that do.

        Raises:
            SteerError: The database cannot hold a value.
            UnavailableError: It does not answer.
        """
        with self._begun(self._reading, writes=False) as session:
            yield session
        self._outage.ends(writes=False)

    async def write(self, operation: Operation[Result]) -> Result:
        """What `operation` returns for a session, its changes on disk.

        Requests that come at the same time share a transaction: beginning and ending it, and the disk, cost more than
        what one of them writes. Should one of them fail, each gets a transaction of its own, and is called once more.

        Raises:
            Exception: What `operation` raises; see also `transaction`.
        """
        result: Result = await self._writes.answer(operation)
        return result

    async def erase(self, operation: Operation[Result], *, at_once: bool = True) -> Result:
        """`write` for what must not stay in the file either.

        Args:
            operation: Operation that deletes.
            at_once: Whether to wait for the scrubbing. A large file takes a while: then the rows are gone when this
                returns, and their traces some seconds later.
        """
        result = await self.write(operation)
        self.scrubber.has_traces = True
        if at_once:
            await self.scrubber.soon()
        return result

    async def read(self, operation: Operation[Result]) -> Result:
        """`write` for what changes nothing; see `reading`."""
        result: Result = await self._reads.answer(operation)
        return result

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=timeouts.WRITER_SECONDS):
            raise self._out(f"others have been writing to it for {timeouts.WRITER_SECONDS} seconds", writes=True)
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _begun(self, sessions: sessionmaker[Session], *, writes: bool) -> Iterator[Session]:
        try:
            with sessions.begin() as session:
                yield session
        except (DataError, UnicodeEncodeError) as error:  # a NUL, half of a surrogate pair
            raise SteerError(f"the store cannot keep that: {_reason(error)}") from error
        except PoolTimeoutError as error:
            reason = f"others have had all connections to it for {timeouts.POOL_SECONDS} seconds"
            raise self._out(reason, writes=writes) from error
        except DBAPIError as error:
            # A damaged file is a plain DatabaseError, a server that lets nobody write an InternalError.
            is_out = (
                isinstance(error, OperationalError | InterfaceError | InternalError) or type(error) is DatabaseError
            )
            if is_out or error.connection_invalidated:
                raise self._out(_reason(error), writes=writes) from error
            raise

    def _out(self, reason: str, *, writes: bool) -> UnavailableError:
        self._outage.begins(reason, writes=writes)
        said = "The store does not answer at the moment; please try again."
        return UnavailableError(said, reason=_sentence(self.engine.url, reason))

    def ping(self) -> None:
        """Let the database write something that changes nothing.

        Raises:
            UnavailableError: It does not answer, or takes no writes.
        """
        with self.transaction() as session:
            session.execute(_SAME_REVISION)

    def hurry(self) -> None:
        """Wait no more than `LAST_WRITES_SECONDS` for anything from now on: the process is to end."""
        self._hurry()

    @property
    def url(self) -> URL:
        """Where the database lies, password included."""
        return self.engine.url

    def close(self) -> None:
        """Finish what was taken, and give back every connection."""
        self._reads.close()
        self._writes.close()
        self.scrubber.close()
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


def is_new(url: str) -> bool:
    """Whether opening a store would create its file; of a server's database only the server knows.

    Raises:
        SteerError: The URL is malformed.
    """
    engine, _ = make_engine(url)
    file = engine.url.database
    return engine.dialect.name == "sqlite" and file is not None and not Path(file).exists()


def shown_url(url: URL) -> str:
    """The URL as a message may show it: without its password, and without its query, which may hold one too."""
    return url.set(query={}).render_as_string(hide_password=True)


def _write_ahead_log(url: URL) -> Path:
    return Path(f"{url.database}-wal")


def _already_on_disk() -> None:
    """PostgreSQL puts each commit on disk by itself, and shares the wait too."""


def open_store(url: str, *, is_patient: bool = False) -> Store:
    """Open a store, create it if need be, and bring its tables up to date.

    Args:
        url: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`.
        is_patient: Whether a statement may take as long as it takes, as in a command that somebody waits for. A server
            has others to answer; see `core.platform.timeouts`.

    Raises:
        SteerError: The URL is malformed, or the store is one of a newer Steer.
        UnavailableError: The database cannot be reached or opened.
    """
    engine, patience = make_engine(url)
    try:
        with _lock(engine.url):
            upgrade(engine)
    except (DBAPIError, OSError) as error:
        raise UnavailableError(_sentence(engine.url, _reason(error))) from error
    except BaseException:
        engine.dispose()
        raise
    if not is_patient:
        engine.dispose()  # the connection that brought the tables up to date
        patience.statement, patience.answer = timeouts.STATEMENT_SECONDS, timeouts.ANSWER_SECONDS
    return Store(engine, patience.hurry)


def make_engine(url: str) -> tuple[Engine, Patience]:
    """An engine, and the patience of its connections, which is endless at first.

    Raises:
        SteerError: The URL is malformed, or the extra `postgres` is not installed.
    """
    patience = Patience()
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            if "@" in f"{parsed.host}{parsed.database}":
                raise ArgumentError("a part of the password is read as something else")
            return _postgresql(parsed, patience), patience
        if parsed.get_backend_name() != "sqlite":
            raise SteerError(f"the store speaks sqlite and postgresql, not {parsed.get_backend_name()}")
        return _sqlite(parsed), patience
    except (ArgumentError, ValueError):  # neither the URL nor the cause is shown: whatever it is may be the password
        raise SteerError(
            "the URL of the store is no store's; write sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/DATABASE "
            "(in the password, %2F for / and %40 for @)"
        ) from None
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise SteerError("PostgreSQL needs an extra: pip install 'steer[postgres]'") from error


def _postgresql(url: URL, patience: Patience) -> Engine:
    from core.platform.store.postgres import hold_to  # an extra

    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={"connect_timeout": timeouts.CONNECT_SECONDS},
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=20,
        pool_timeout=timeouts.POOL_SECONDS,
        hide_parameters=True,
    )
    hold_to(engine, patience)
    return engine


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": timeouts.WRITER_SECONDS}, hide_parameters=True)
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
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"busy_timeout={timeouts.WRITER_SECONDS * 1000}",
    ):
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
    with FileLock(f"{file}.lock", timeout=timeouts.MIGRATION_SECONDS):
        file.touch(mode=0o600)
        with suppress(PermissionError):  # another user's file keeps the mode that they gave it
            file.chmod(0o600)  # it holds what people wrote; SQLite gives its other files the same mode
        yield


def _sentence(url: URL, reason: str) -> str:
    return f"the store {shown_url(url)} does not answer: {reason}"


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", error)).strip().splitlines()[0]
