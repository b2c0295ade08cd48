"""`steer store`, as an operator types it."""

import re
from datetime import UTC, datetime

import pytest

from apps.finance_monitor.tables import News
from core.platform.store.database import open_store
from tests.command import Done, steer


def rows_of(table: str, shown: Done) -> int:
    return int(re.search(rf"{table} +│ (\d+)", shown.stdout)[1])


def add_news(url: str, count: int) -> None:
    store = open_store(url)
    with store.transaction() as session:
        session.add_all([News(key=str(n), time=datetime.now(UTC), company="x", headline="h") for n in range(count)])
    store.close()


def test_a_store_moves_from_sqlite_to_postgresql_and_back(tmp_path, postgres):
    sqlite, server = f"sqlite:///{tmp_path / 'steer.db'}", postgres.database("moved")
    add_news(sqlite, 3)
    file = str(tmp_path / "b.zip")

    done = steer("store", "backup", file, "--runs", str(tmp_path))
    assert f"3 rows of {sqlite} are in {file}" in done.stdout
    done = steer("store", "restore", file, "--store", server)
    assert done.returncode == 0, done.stderr
    assert "holds the 3 rows of 20" in done.stdout
    steer("store", "backup", file, STEER_STORE=server)
    done = steer("store", "restore", file, "--runs", str(tmp_path / "back"))
    assert done.returncode == 0, done.stderr
    assert rows_of("news", steer("store", "show", "--runs", str(tmp_path / "back"))) == 3


def test_show_tells_where_the_store_is_without_its_password(postgres):
    url = postgres.database("shown").replace("steer@", "steer:hidden@")
    done = steer("store", "show", "--store", url)
    assert "postgresql+psycopg://steer:***@127.0.0.1" in done.stdout
    assert "revision 0" in done.stdout
    assert "hidden" not in done.stdout + done.stderr


def test_replacing_is_asked_for_twice(tmp_path):
    runs, file = ("--runs", str(tmp_path)), str(tmp_path / "b.zip")
    url = f"sqlite:///{tmp_path / 'steer.db'}"
    steer("store", "backup", file, *runs)
    add_news(url, 2)

    refused = steer("store", "restore", file, *runs)
    assert refused.returncode == 2
    assert "the store is not empty: it holds 2 news" in refused.stderr
    declined = steer("store", "restore", file, "--replace", *runs, typed="n\n")
    assert declined.returncode == 1
    assert f"Remove the 2 rows that {url} holds?" in declined.stdout
    assert rows_of("news", steer("store", "show", *runs)) == 2
    assert steer("store", "restore", file, "--replace", "--yes", *runs).returncode == 0
    assert rows_of("news", steer("store", "show", *runs)) == 0


def test_a_script_that_nobody_answers_is_told_of_the_option(tmp_path):
    runs, file = ("--runs", str(tmp_path)), str(tmp_path / "b.zip")
    steer("store", "backup", file, *runs)
    add_news(f"sqlite:///{tmp_path / 'steer.db'}", 2)
    done = steer("store", "restore", file, "--replace", *runs)
    assert done.returncode == 2
    assert "nobody is here to answer; remove them without being asked by --yes" in done.stderr
    assert rows_of("news", steer("store", "show", *runs)) == 2


def test_a_backup_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    done = steer("store", "backup", str(tmp_path / "file" / "b.zip"), "--runs", str(tmp_path))
    assert done.returncode == 2
    assert "could not write" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_url_of_the_store_can_lie_in_a_file(tmp_path):
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    add_news(url, 4)
    (tmp_path / "url").write_text(url + "\n")
    done = steer("store", "show", STEER_STORE_FILE=str(tmp_path / "url"))
    assert url in done.stdout
    assert rows_of("news", done) == 4
    other = f"sqlite:///{tmp_path / 'other.db'}"
    assert other in steer("store", "show", STEER_STORE_FILE=str(tmp_path / "url"), STEER_STORE=other).stdout


@pytest.mark.parametrize(
    ("text", "message"), [(None, "cannot be read: No such file"), (" \n", "is empty; write the URL")]
)
def test_a_file_without_the_url_of_the_store_is_named(text, message, tmp_path):
    if text is not None:
        (tmp_path / "url").write_text(text)
    done = steer("store", "show", STEER_STORE_FILE=str(tmp_path / "url"))
    assert done.returncode == 2
    assert f"the file {tmp_path / 'url'}" in done.stderr
    assert message in done.stderr
