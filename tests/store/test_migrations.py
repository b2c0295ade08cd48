"""Every migration of the platform and of the apps, up and down, with rows in the tables, on both engines."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Boolean, Double, Integer, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from core.platform.store import migrate
from core.platform.store.app_tables import migrations
from core.platform.store.database import make_engine, open_store
from core.platform.store.decisions import judged
from core.platform.store.migrate import alembic_config
from core.platform.store.schema import Table, UtcTime
from core.platform.store.summary import row_counts, tables

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
DUMP = (Path(__file__).parent / "before_app_tables.sql").read_text()


def move(engine, history: str, revision: str, *, up: bool) -> None:
    with engine.begin() as connection:
        config = alembic_config(connection, history, migrations()[history])
        (command.upgrade if up else command.downgrade)(config, revision)


def revisions(history: str) -> list[str]:
    """The revisions of a history, the newest first."""
    config = alembic_config(None, history, migrations()[history])
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]


def apps_first() -> list[str]:
    """The histories, the platform's last: rows of the apps refer to its own."""
    return sorted(migrations(), key=lambda history: history == "alembic_version")


def sample(column: Any) -> Any:
    """A value for a column of a row that is the first of its table."""
    for reference in column.foreign_keys:
        return sample(reference.column)
    kinds = {Integer: 1, Double: 0.5, Boolean: False, UtcTime: MOMENT, JSON: {}}
    found = [value for kind, value in kinds.items() if isinstance(column.type, kind)]
    return found[0] if found else "" if column.name == "subject" else column.name[:16]


def fill(store) -> dict[str, int]:
    """Put a row into each table; the numbers of rows."""
    with store.transaction() as session:
        for table in tables():
            session.execute(insert(table), {column.name: sample(column) for column in table.columns})
        _continue_sequences(session)
    with store.reading() as session:
        return row_counts(session)


def _continue_sequences(session) -> None:
    if session.get_bind().dialect.name == "postgresql":
        for table in tables():
            if table.autoincrement_column is not None:
                where = f"pg_get_serial_sequence('{table.name}', '{table.autoincrement_column.name}')"
                session.execute(text(f"SELECT setval({where}, 1000)"))


def differences(store) -> list[Any]:
    """What the tables are not that the models say."""
    with store.engine.connect() as connection:
        options = {"include_name": lambda name, kind, parents: name not in migrations()}
        return compare_metadata(MigrationContext.configure(connection, opts=options), Table.metadata)


@pytest.mark.parametrize("history", list(migrations()))
def test_every_later_step_down_and_up_again_loses_no_row(store, history):
    before = fill(store)
    *later, first = revisions(history)
    for below in [*later[1:], first] if later else []:
        move(store.engine, history, below, up=False)
        there = set(inspect(store.engine).get_table_names())  # the others are the later step's own
        move(store.engine, history, "head", up=True)
        with store.reading() as session:
            after = row_counts(session)
        assert {name: count for name, count in after.items() if name in there and count < before[name]} == {}
        assert differences(store) == []


def test_all_the_way_down_with_rows_and_up_again_makes_the_tables_of_the_models(store):
    fill(store)
    for history in apps_first():
        for _ in revisions(history):
            move(store.engine, history, "-1", up=False)
    assert set(inspect(store.engine).get_table_names()) <= set(migrations())
    for history in reversed(apps_first()):
        for _ in revisions(history):
            move(store.engine, history, "+1", up=True)
    assert differences(store) == []
    assert set(fill(store).values()) == {1}


ANEW = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None

def upgrade():
    with op.batch_alter_table("conversations") as table:
        table.alter_column("owner", type_=sa.String(length=90), existing_type=sa.String(length=80))
"""


def test_a_migration_that_makes_a_table_anew_keeps_the_rows_that_refer_to_it(store, store_url, tmp_path, monkeypatch):
    before = fill(store)
    (tmp_path / "0001_anew.py").write_text(ANEW)
    known = migrations()
    monkeypatch.setattr(migrate, "migrations", lambda: {**known, "alembic_version_anew": tmp_path})
    again = open_store(store_url)
    with again.reading() as session:
        assert row_counts(session) == before
    with pytest.raises(IntegrityError), again.transaction() as session:  # references are checked as ever
        session.execute(text("UPDATE turns SET conversation_id = 'nowhere'"))
    again.close()


def oldest(url: str) -> None:
    """The store of the first version: every table in one history, of revision 0001."""
    engine, _ = make_engine(url)
    for history in reversed(apps_first()):
        move(engine, history, "0001", up=True)
    with engine.begin() as connection:
        for history in set(migrations()) - {"alembic_version"}:
            connection.execute(text(f"DROP TABLE {history}"))
        for row in re.findall(r'^INSERT INTO "(?!alembic)(?:.*);$', DUMP, re.MULTILINE):
            connection.exec_driver_sql(row)
        if engine.dialect.name == "postgresql":
            for table in ("events", "feedback", "news", "turns"):
                connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 100)"))
    engine.dispose()


def test_the_oldest_store_keeps_everything_on_the_way_up_and_after_a_way_back(store_url):
    oldest(store_url)
    store = open_store(store_url)
    assert differences(store) == []
    before = _told(store)
    assert before["turns"] == ["where is it", "on its way"]
    assert before["news"] == ["Corvane opens shop"]
    assert before["recommender"] == {("8", -1.0), ("9", 1.0)}  # rows 7 and 8 of the shipped films
    assert before["customer_service"] == {("", 1.0)}
    for history in apps_first():
        move(store.engine, history, "0001", up=False)
    store.close()
    store = open_store(store_url)
    assert _told(store) == before
    assert differences(store) == []
    store.close()


def _told(store) -> dict[str, Any]:
    every = Table.metadata.tables
    with store.reading() as session:
        opinions = {
            app: {(said.subject, said.value) for each in judged(session, app) for said in each.feedback}
            for app in ("recommender", "customer_service")
        }
        return {
            "turns": list(session.scalars(select(every["turns"].c.text).order_by(every["turns"].c.number))),
            "news": list(session.scalars(select(every["news"].c.headline))),
            **opinions,
        }
