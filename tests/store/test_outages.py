"""A store that is silent, locked, full of others, read-only or damaged: whoever waits for it is told, and soon."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from apps.customer_service.tables import Conversation
from core.platform import timeouts
from core.platform.store.database import open_store
from core.util.errors import UnavailableError


@pytest.fixture
def short(monkeypatch):
    """Waits that a test can sit out."""
    for name in ("STATEMENT_SECONDS", "POOL_SECONDS", "WRITER_SECONDS", "CONNECT_SECONDS"):
        monkeypatch.setattr(timeouts, name, 1)
    monkeypatch.setattr(timeouts, "ANSWER_SECONDS", 2)


@pytest.fixture
def on_postgresql(postgres, short):
    store = open_store(postgres.database(f"test_{uuid4().hex}"))
    yield store
    store.close()


@pytest.fixture
def on_sqlite(tmp_path, short):
    store = open_store(f"sqlite:///{tmp_path / 'steer.db'}")
    yield store
    store.close()


def add(store, owner: str = "ann") -> None:
    with store.transaction() as session:
        session.add(Conversation(app="a", owner=owner))


def owners(store) -> list[str]:
    with store.reading() as session:
        return list(session.scalars(select(Conversation.owner)))


def refused(action, *arguments) -> str:
    """The reason for which an action on a store finds it out, which names it; nobody else is told."""
    with pytest.raises(UnavailableError, match="does not answer at the moment") as caught:
        action(*arguments)
    assert "://" not in str(caught.value)
    return caught.value.reason


def test_a_silent_server_is_given_up_and_found_again_when_it_answers(on_postgresql, postgres):
    add(on_postgresql)
    with postgres.frozen():
        assert "127.0.0.1" in refused(owners, on_postgresql)
        assert refused(add, on_postgresql)
        assert refused(on_postgresql.ping)
        with pytest.raises(UnavailableError, match="does not answer"):
            open_store(str(on_postgresql.url))
    assert owners(on_postgresql) == ["ann"]
    on_postgresql.ping()


def test_a_server_that_falls_silent_in_a_statement_is_given_up_too(on_postgresql, postgres):
    def wait() -> None:
        with on_postgresql.transaction() as session:
            session.execute(select(1))
            with postgres.frozen():
                session.execute(select(1))

    assert "silent for 2 seconds" in refused(wait)
    add(on_postgresql)


def test_who_waits_for_a_silent_server_is_hurried_when_the_process_is_to_end(postgres, monkeypatch):
    monkeypatch.setattr(timeouts, "ANSWER_SECONDS", 600)
    monkeypatch.setattr(timeouts, "LAST_WRITES_SECONDS", 1)
    store = open_store(postgres.database(f"test_{uuid4().hex}"))
    add(store)
    found = []
    waiting = threading.Thread(target=lambda: found.append(refused(owners, store)), daemon=True)
    with postgres.frozen():
        waiting.start()
        time.sleep(0.5)
        store.hurry()
        waiting.join(timeout=60)
    assert found
    store.close()


def test_a_statement_that_takes_too_long_is_ended_by_the_server(on_postgresql):
    def sleep() -> None:
        with on_postgresql.reading() as session:
            session.execute(text("SELECT pg_sleep(100)"))

    assert "statement timeout" in refused(sleep)


def test_a_command_that_somebody_waits_for_may_take_its_time(postgres, short):
    store = open_store(postgres.database(f"test_{uuid4().hex}"), is_patient=True)
    with store.reading() as session:
        session.execute(text("SELECT pg_sleep(2.5)"))
    store.close()


def test_connections_that_others_have_are_not_waited_for_without_end(on_postgresql):
    sessions = [on_postgresql.reading() for _ in range(30)]
    for session in sessions:
        session.__enter__().execute(select(1))
    assert "all connections" in refused(owners, on_postgresql)
    for session in sessions:
        session.__exit__(None, None, None)
    assert owners(on_postgresql) == []


def test_a_server_that_lets_nobody_write_can_be_read(on_postgresql):
    add(on_postgresql)
    with on_postgresql.engine.connect() as connection:
        connection.execute(
            text(f'ALTER DATABASE "{on_postgresql.url.database}" SET default_transaction_read_only = on')
        )
        connection.commit()
    on_postgresql.engine.dispose()
    assert "read-only" in refused(add, on_postgresql)
    assert "read-only" in refused(on_postgresql.ping)
    assert owners(on_postgresql) == ["ann"]


def test_a_file_that_another_process_writes_to_can_be_read_and_takes_no_writes(on_sqlite):
    add(on_sqlite)
    with closing(sqlite3.connect(on_sqlite.url.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "locked" in refused(add, on_sqlite)
        assert "locked" in refused(on_sqlite.ping)
        assert owners(on_sqlite) == ["ann"]
        other.execute("ROLLBACK")
    on_sqlite.ping()


def test_a_writer_of_this_process_that_does_not_end_is_not_waited_for_without_end(on_sqlite):
    with on_sqlite.transaction():
        waiting = threading.Thread(target=lambda: found.append(refused(add, on_sqlite)))
        found: list[str] = []
        waiting.start()
        waiting.join(timeout=60)
    assert "others have been writing" in found[0]
    add(on_sqlite)


def test_a_damaged_file_is_an_outage(on_sqlite):
    add(on_sqlite)
    on_sqlite.engine.dispose()  # the last connection takes the log of writes into the file
    with Path(on_sqlite.url.database).open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * 4096 * 200)
    assert "malformed" in refused(owners, on_sqlite)
    assert "malformed" in refused(add, on_sqlite)
