"""The store on SQLite and on a real PostgreSQL server."""

import asyncio
import multiprocessing
import sqlite3
import stat
import traceback
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, func, inspect, select
from sqlalchemy.exc import IntegrityError, StatementError

from apps.customer_service.tables import Conversation, Turn
from apps.finance_monitor.tables import News
from core.platform.store.app_tables import migrations
from core.platform.store.database import open_store
from core.platform.store.decisions import judged
from core.platform.store.schema import Table
from core.util.errors import SteerError, UnavailableError


def test_the_migrations_make_exactly_the_tables_of_the_models(store):
    with store.engine.connect() as connection:
        # The tables with the revisions themselves are Alembic's.
        options = {"include_name": lambda name, kind, parents: name not in migrations()}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Table.metadata) == []


def test_a_store_from_before_apps_had_tables_of_their_own_keeps_everything(tmp_path):
    file = tmp_path / "steer.db"
    with closing(sqlite3.connect(file)) as old:
        old.executescript((Path(__file__).parent / "before_app_tables.sql").read_text())
    store = open_store(f"sqlite:///{file}")
    with store.reading() as session:
        assert session.scalars(select(Turn.text).order_by(Turn.number)).all() == ["where is it", "on its way"]
        assert session.scalars(select(News.headline)).all() == ["Corvane opens shop"]
        # The last word about a film, by its id, not its row any more; and the opinion of a reply that was there before.
        opinions = {(said.subject, said.value) for each in judged(session, "recommender") for said in each.feedback}
        assert opinions == {("8", -1.0), ("9", 1.0)}
        assert [each.value for each in judged(session, "customer_service")] == [1.0]
    store.close()


def test_opening_again_changes_nothing(store, store_url):
    with store.transaction() as session:
        session.add(Conversation(app="a", owner="ann"))
    again = open_store(store_url)
    with again.reading() as session:
        assert session.scalars(select(Conversation.owner)).all() == ["ann"]
    again.close()


def test_times_come_back_as_the_moment_they_were(store):
    noon_in_delhi = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    with store.transaction() as session:
        session.add(News(key="1", time=noon_in_delhi, company="x", headline="h"))
    with store.reading() as session:
        read = session.scalars(select(News)).one()
    assert read.time == noon_in_delhi
    assert read.time.utcoffset() == timedelta(0)


def test_a_time_without_zone_is_refused(store):
    with pytest.raises(StatementError, match="no time zone"), store.transaction() as session:
        session.add(News(key="1", time=datetime(2026, 1, 1), company="x", headline="h"))


def test_half_of_a_surrogate_pair_is_the_senders_mistake(store):
    with pytest.raises(SteerError, match="cannot keep that"), store.transaction() as session:
        session.add(Conversation(app="a", owner="half \ud800"))


@pytest.mark.parametrize("text", ["a NUL \0", "longer than its column " * 9])
def test_what_postgresql_refuses_is_the_senders_mistake(postgres, text):
    store = open_store(postgres.database(f"test_{uuid4().hex}"))
    with pytest.raises(SteerError, match="cannot keep that"), store.transaction() as session:
        session.add(Conversation(app="a", owner=text))
    store.close()


def test_a_failed_block_leaves_nothing(store):
    def half_done() -> None:
        with store.transaction() as session:
            session.add(Conversation(app="a", owner="ann"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_done()
    with store.reading() as session:
        assert session.scalars(select(Conversation)).all() == []


def _added(owner: str):
    def work(session) -> str:
        if not owner:
            raise ZeroDivisionError
        session.add(Conversation(app="a", owner=owner))
        session.flush()
        return owner

    return work


def test_requests_that_write_at_once_fail_alone(store):
    async def write() -> list:
        works = [_added(owner) for owner in ("ann", "", "bob", "half \ud800", "carol")]
        return await asyncio.gather(*map(store.write, works), return_exceptions=True)

    ann, nobody, bob, half, carol = asyncio.run(write())
    assert (ann, bob, carol) == ("ann", "bob", "carol")
    assert isinstance(nobody, ZeroDivisionError)
    assert isinstance(half, SteerError)
    owners = asyncio.run(store.read(lambda session: session.scalars(select(Conversation.owner)).all()))
    assert sorted(owners) == ["ann", "bob", "carol"]


def test_requests_that_write_at_once_share_transactions(store):
    begun = []
    event.listen(store.engine, "begin", begun.append)

    async def write() -> list:
        return await asyncio.gather(*(store.write(_added(f"{number}")) for number in range(200)))

    assert asyncio.run(write()) == [str(number) for number in range(200)]
    with store.reading() as session:
        assert session.scalar(select(func.count()).select_from(Conversation)) == 200
    assert len(begun) < 40


def test_what_may_have_been_committed_is_not_written_again(store, monkeypatch):
    def failing() -> None:
        raise OSError("the disk is gone")

    async def write() -> list:
        works = [store.write(_added(f"{number}")) for number in range(20)]
        return await asyncio.gather(*works, return_exceptions=True)

    monkeypatch.setattr(store, "_on_disk", failing)
    assert all(isinstance(result, UnavailableError) for result in asyncio.run(write()))
    with store.reading() as session:
        owners = session.scalars(select(Conversation.owner)).all()
    assert len(owners) == len(set(owners)) == 20


def test_closing_finishes_what_was_taken(store, store_url):
    async def write() -> None:
        writes = [asyncio.create_task(store.write(_added(f"{number}"))) for number in range(50)]
        await asyncio.sleep(0)
        await asyncio.to_thread(store.close)
        await asyncio.gather(*writes)

    asyncio.run(write())
    again = open_store(store_url)
    with again.reading() as session:
        assert session.scalar(select(func.count()).select_from(Conversation)) == 50
    again.close()


def test_a_turn_needs_its_conversation_on_both_engines(store):
    with pytest.raises(IntegrityError), store.transaction() as session:
        session.add(Turn(conversation_id="nowhere", number=0, role="user", text="x", time=datetime.now(UTC)))


def _write(url: str, who: int, times: int) -> None:
    store = open_store(url)
    for at in range(times):
        with store.transaction() as session:
            session.add(Conversation(app="a", owner=f"{who}-{at}"))
    store.close()


def test_several_processes_open_and_write_at_once(store_url):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write, args=(store_url, who, 40)) for who in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    store = open_store(store_url)
    with store.reading() as session:
        owners = session.scalars(select(Conversation.owner)).all()
    store.close()
    assert sorted(owners) == sorted(f"{who}-{at}" for who in range(3) for at in range(40))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "write sqlite:///FILE or postgresql"),
        ("mysql://x/y", "speaks sqlite and postgresql, not mysql"),
        ("postgresql://ann:secret@127.0.0.1:1/x", "does not answer"),
        ("postgresql://127.0.0.1:1/x?user=ann&password=secret", "does not answer"),
        ("postgresql:/ann:secret@127.0.0.1/x", "write sqlite:///FILE or postgresql"),
        ("postgresql//ann:secret@127.0.0.1/x", "write sqlite:///FILE or postgresql"),
        ("ann:secret@127.0.0.1", "write sqlite:///FILE or postgresql"),
        ("postgresql://ann:secret@127.0.0.1:port/x", "write sqlite:///FILE or postgresql"),
        ("postgresql://ann:se/secret@127.0.0.1:1/x", "does not answer"),
        ("postgresql://ann:se@secret@127.0.0.1:1/x", "%40 for @"),
        ("postgresql://ann:a@b/secret@127.0.0.1:1/x", "%40 for @"),
        ("postgresql://127.0.0.1:secret/x", "write sqlite:///FILE or postgresql"),
        ("sqlite://ann:secret@host/x", "write sqlite:///FILE or postgresql"),
    ],
)
def test_a_wrong_url_says_what_to_write_and_no_password(url, message):
    with pytest.raises(SteerError, match=message) as caught:
        open_store(url)
    assert "secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("is_new", [True, False])
def test_its_owner_alone_reads_a_file_of_sqlite(tmp_path, is_new):
    file = tmp_path / "steer.db"
    if not is_new:
        open_store(f"sqlite:///{file}").close()
        file.chmod(0o644)
    store = open_store(f"sqlite:///{file}")
    with store.transaction() as session:
        session.add(Conversation(app="a", owner="ann"))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("steer.db*")}
    store.close()
    del modes["steer.db.lock"]
    assert set(modes) >= {"steer.db", "steer.db-wal"}
    assert set(modes.values()) == {0o600}


def test_a_file_that_is_no_database_is_named(tmp_path):
    file = tmp_path / "steer.db"
    file.write_text("not a database, " * 100)
    with pytest.raises(SteerError, match=r"steer\.db does not answer: file is not a database"):
        open_store(f"sqlite:///{file}")


def test_a_table_of_every_subject_exists(store):
    tables = set(inspect(store.engine).get_table_names())
    assert {"documents", "conversations", "turns", "decisions", "feedback", "items", "events"} < tables
    assert {"news", "scores", "alerts", "alert_changes", "model_versions", "promotions", "users", "api_keys"} < tables
