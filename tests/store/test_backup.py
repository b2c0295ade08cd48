"""Backup and restore of a whole store, within and across the two engines."""

import json
import math
import multiprocessing
import os
import signal
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import uuid4
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from sqlalchemy import delete, insert, select

from apps.customer_service.tables import Conversation, Document, Takeover, Turn
from apps.finance_monitor.tables import Alert, AlertChange, Base, News, Score
from apps.recommender.tables import Event, Item
from core.platform.store.backup import PORTION, backup
from core.platform.store.backup_file import MAX_LINE, MAX_UNPACKED
from core.platform.store.database import open_store
from core.platform.store.restore import restore
from core.platform.store.schema import ApiKey, Decision, EndedSession, Feedback, Job, ModelVersion, Promotion, User
from core.platform.store.summary import tables
from core.util.errors import SteerError

MOMENT = datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=UTC)
TEXT = "line\n\r\ttab \x01\x1f\x7f\u2028 'quoted' \"double\" \\n \\ Zoë 日本語 🙂 e\u0301 </script> %s {} ; --"
DEEP = {"": [None, True, 0, -1, 2**63, 0.1, 1e-308, 1e308, TEXT, {TEXT: {"a": []}}], "half a pair": "\ud83d"}
HUGE = {"values": [at / 7 for at in range(100_000)]}
FLOATS = (0.1 + 0.2, 5e-324, 1e308, math.nextafter(1, 2))


def quiet(done: int, total: int) -> None:
    """Reports go nowhere."""


def fill(store) -> None:
    """A row or more of every table, with values that a careless copy would change."""
    with store.transaction() as session:
        session.add_all([User(id="u", name=TEXT[:80], role="agent", password_hash="$argon2id$x", created=MOMENT)])
        session.flush()
        session.add_all(
            [
                ApiKey(user_id="u", name="valid", digest="0" * 64),
                ApiKey(user_id="u", name="revoked", digest="1" * 64, revoked=MOMENT),
                Document(app="a", key="ключ", title=TEXT, body=TEXT * 1000, attributes=DEEP),
                Conversation(id="c", app="a", owner="u"),
                Item(app="a", key="i", title="", attributes=HUGE),
                News(id=41, key="n", time=MOMENT, company="acme", headline=TEXT),
                Alert(
                    id=7, key="acme@noon", company="acme", opened=MOMENT, state="open", severity="raised", reason=DEEP
                ),
                Base(
                    app="a",
                    company="acme",
                    **dict.fromkeys(("moment", "forgets", "last"), MOMENT),
                    **dict.fromkeys(("stories", "hours", "delay"), FLOATS[0]),
                    **dict.fromkeys(("steps", "newest", "revision"), 2**31 - 1),
                ),
                ModelVersion(app="a", name="v0001", folder="a/v0001", fingerprint="f", metrics={}),
                Promotion(app="a", version="v0001", who="u"),
                EndedSession(id="0" * 32, time=MOMENT),
                Job(workspace="bikes", owner="u", progress=DEEP, error=TEXT, seen=MOMENT),
            ]
        )
        for number, value in enumerate(FLOATS):
            session.add(
                Decision(id=str(number), app="a", owner="u", version="v", state=DEEP, action=[1], propensity=value)
            )
        session.flush()
        session.add_all(
            [
                Turn(id=1000, conversation_id="c", number=0, role="user", text=TEXT, key=None, about=DEEP, time=MOMENT),
                Turn(id=1001, conversation_id="c", number=1, role="assistant", text="", decision_id="0"),
                Takeover(conversation_id="c", who=TEXT[:80], since=MOMENT),
                Feedback(decision_id="0", owner="u", value=-1.0),
                Event(app="a", owner="u", kind="like", item="i", decision_id=None),
                Score(news_id=41, version="v", topic="legal", sentiment="negative", probabilities={"negative": 1e-17}),
                AlertChange(alert_id=7, state="open", who="u", note=TEXT),
            ]
        )


def add_news(store, count: int) -> None:
    rows = [{"key": str(at), "time": MOMENT, "company": "x", "headline": "h"} for at in range(count)]
    with store.transaction() as session:
        session.execute(insert(News), rows)


def content(store) -> dict[str, list[tuple]]:
    with store.reading() as session:
        return {
            table.name: [
                tuple(row) for row in session.execute(select(*table.columns).order_by(*table.primary_key.columns))
            ]
            for table in tables()
        }


@pytest.fixture
def new_store(tmp_path, postgres):
    """Opens new, empty stores of an engine."""
    opened = []

    def new(engine: str):
        name = f"backup_{uuid4().hex}"
        opened.append(open_store(f"sqlite:///{tmp_path / name}.db" if engine == "sqlite" else postgres.database(name)))
        return opened[-1]

    yield new
    for store in opened:
        store.close()


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
def test_every_value_of_every_table_comes_back_on_either_engine(source, target, new_store, tmp_path):
    old, new = new_store(source), new_store(target)
    fill(old)
    assert all(content(old).values()), "every table needs a row here"
    backup(old, tmp_path / "b.zip", quiet)
    restore(new, tmp_path / "b.zip", quiet)
    assert content(new) == content(old)


def test_new_rows_are_numbered_behind_those_that_were_restored(store, tmp_path):
    fill(store)
    backup(store, tmp_path / "b.zip", quiet)
    for _ in range(2):  # the second time, there were ids that are gone now
        restore(store, tmp_path / "b.zip", quiet, replace=True)
        with store.transaction() as session:
            session.add(turn := Turn(conversation_id="c", number=2, role="user", text="next"))
            session.add(news := News(key="next", time=MOMENT, company="x", headline="h"))
        assert (turn.id, news.id) == (1002, 42)


def test_an_empty_store_is_backed_up_and_restored_too(store, tmp_path):
    assert backup(store, tmp_path / "b.zip", quiet).rows == 0
    restore(store, tmp_path / "b.zip", quiet)
    assert not any(content(store).values())
    with store.transaction() as session:
        session.add(news := News(key="first", time=MOMENT, company="x", headline="h"))
    assert news.id == 1


def test_many_rows_go_through_in_portions_with_progress(store, tmp_path):
    count = 2 * PORTION + 1
    add_news(store, count)
    before, heard = content(store), []
    for work in (backup, lambda *arguments: restore(*arguments, replace=True)):
        work(store, tmp_path / "b.zip", lambda done, total: heard.append((done, total)))
    assert heard == [(PORTION, count), (2 * PORTION, count), (count, count)] * 2
    assert content(store) == before


def test_only_the_owner_can_read_a_backup(store, tmp_path):
    backup(store, tmp_path / "b.zip", quiet)
    assert stat.S_IMODE((tmp_path / "b.zip").stat().st_mode) == 0o600


def test_a_backup_shows_one_moment_while_others_write(store, store_url, tmp_path):
    add_news(store, 9000)
    started, stop, written = threading.Event(), threading.Event(), []

    def write() -> None:
        # Conversations are copied before the turns: whatever is added in between must not show.
        other = open_store(store_url)
        while not stop.is_set():
            with other.transaction() as session:
                session.add(talk := Conversation(app="a", owner="ann"))
                session.flush()
                session.add_all([Turn(conversation_id=talk.id, number=at, role="user", text="x") for at in range(3)])
                session.add(News(key=f"new{len(written)}", time=MOMENT, company="x", headline="h"))
            written.append(talk.id)
            started.set()
        other.close()

    writer = threading.Thread(target=write)
    writer.start()
    assert started.wait(30)
    at_start = len(written)
    backup(store, tmp_path / "b.zip", quiet)
    stop.set()
    writer.join()
    assert len(written) > at_start, "nothing was written meanwhile"

    restore(store, tmp_path / "b.zip", quiet, replace=True)
    held = content(store)
    talks = [row[0] for row in held["conversations"]]
    assert sorted(talks) == sorted(written[: len(talks)])
    assert at_start <= len(talks)
    assert len(held["turns"]) == 3 * len(talks)
    assert len(held["news"]) == 9000 + len(talks)


def test_a_store_with_rows_is_left_alone_unless_it_may_be_replaced(store, tmp_path):
    backup(store, tmp_path / "empty.zip", quiet)
    fill(store)
    before = content(store)
    with pytest.raises(SteerError, match=r"not empty: it holds .*, 1 users, .*, 2 turns\. .*--replace"):
        restore(store, tmp_path / "empty.zip", quiet)
    assert content(store) == before
    restore(store, tmp_path / "empty.zip", quiet, replace=True)
    assert not any(content(store).values())


Change = Callable[[dict[str, bytes]], None]


def lines_of(entries: dict[str, bytes], table: str, lines: bytes) -> None:
    """Other rows, with contents that vouch for them: what somebody who forges a backup would do."""
    entries[f"{table}.jsonl"] = lines
    contents = json.loads(entries["backup.json"])
    contents["tables"][table].update(rows=lines.count(b"\n"), sha256=sha256(lines).hexdigest())
    entries["backup.json"] = json.dumps(contents).encode()


def with_contents(**values: object) -> Change:
    return lambda entries: entries.update(
        {"backup.json": json.dumps(json.loads(entries["backup.json"]) | values).encode()}
    )


def with_events(line: str) -> Change:
    return lambda entries: lines_of(entries, "events", line.encode() + b"\n")


EVENT = '[1,"a","u","k","like","i",null,"2026-03-01T00:00:00+00:00"]'

WRONG: list[tuple[Change, str]] = [
    (lambda entries: entries.pop("users.jsonl"), "it must hold .* nothing else"),
    (lambda entries: entries.update({"../users.jsonl": b""}), "it must hold .* nothing else"),
    (lambda entries: entries.update({"/etc/passwd": b""}), "it must hold .* nothing else"),
    (lambda entries: entries.update({"backup.json": b"{"}), "no backup that this Steer reads: : Invalid JSON"),
    (lambda entries: entries.update({"backup.json": b" " * (2 << 20)}), "larger than 1048576 bytes"),
    (with_contents(format=2), "format: Input should be 1"),
    (with_contents(more=1), "more: Extra inputs"),
    (with_contents(revision="9999"), "made by another version of Steer: its tables are of revision 9999"),
    (with_contents(tables={}), "other tables or columns"),
    (lambda entries: entries.update({"users.jsonl": b""}), "users.jsonl is not what backup.json says"),
    (with_events(EVENT + "\n" + EVENT), "cannot take the events of the backup, and is as it was before"),
    (with_events(EVENT.replace("null", '"nowhere"')), "cannot take the events of the backup"),
    (with_events(EVENT.replace("[1", f"[{2**70}")), "cannot take the events of the backup"),
    (with_events(EVENT.replace('"i"', '"\\ud83d"')), "cannot take the events of the backup"),
    (with_events(EVENT.replace("[1", '["1"')), "events.jsonl, line 1: id cannot be '1'"),
    (with_events(EVENT.replace("[1", "[true")), "line 1: id cannot be True"),
    (with_events(EVENT.replace('"i"', "null")), "line 1: item cannot be None"),
    (with_events(EVENT.replace("+00:00", "")), "line 1: time cannot be"),
    (with_events(EVENT.replace("2026", "yesterday")), "line 1: Invalid isoformat"),
    (with_events("{}"), "line 1: it is no list of 8 values"),
    (with_events("[" * 100_000), "line 1: maximum recursion depth"),
    (with_events('"' + "x" * MAX_LINE), f"line 1: it is longer than {MAX_LINE} bytes"),
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kept(request, tmp_path_factory):
    """A store with rows that no test here may change, and its backup."""
    folder = tmp_path_factory.mktemp("kept")
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{folder / 'steer.db'}" if sqlite else request.getfixturevalue("postgres").database("kept")
    store = open_store(url)
    fill(store)
    backup(store, folder / "b.zip", quiet)
    yield store, folder / "b.zip"
    store.close()


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_tampered_backup_is_refused_and_changes_nothing(change, message, kept, tmp_path):
    store, file = kept
    before = content(store)
    with ZipFile(file) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with ZipFile(tmp_path / "bad.zip", "w", ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    with pytest.raises(SteerError, match=message):
        restore(store, tmp_path / "bad.zip", quiet, replace=True)
    assert content(store) == before


def test_an_archive_that_would_fill_the_disk_is_refused_unread(new_store, tmp_path):
    store = new_store("sqlite")
    backup(store, tmp_path / "b.zip", quiet)
    with ZipFile(tmp_path / "b.zip", "a") as archive:
        archive.getinfo("turns.jsonl").file_size = MAX_UNPACKED + 1
        archive.comment = b"rewrites the directory"
    with pytest.raises(SteerError, match="would unpack to more than 64 GiB"):
        restore(store, tmp_path / "b.zip", quiet)


def test_an_archive_with_a_link_is_refused(new_store, tmp_path):
    store = new_store("sqlite")
    backup(store, tmp_path / "b.zip", quiet)
    with ZipFile(tmp_path / "b.zip", "a") as archive:
        archive.getinfo("turns.jsonl").external_attr = 0o120777 << 16
        archive.comment = b"rewrites the directory"
    with pytest.raises(SteerError, match="is no plain file but a link"):
        restore(store, tmp_path / "b.zip", quiet)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_a_file_twice_is_refused(new_store, tmp_path):
    store = new_store("sqlite")
    backup(store, tmp_path / "b.zip", quiet)
    with ZipFile(tmp_path / "b.zip", "a") as archive:
        archive.writestr("users.jsonl", b"")
    with pytest.raises(SteerError, match="it must hold"):
        restore(store, tmp_path / "b.zip", quiet)


def test_a_directory_that_would_fill_the_memory_is_refused_unread(new_store, tmp_path):
    with ZipFile(tmp_path / "b.zip", "w") as archive:
        for at in range(20_000):
            archive.writestr(f"{at:0200}", b"")
    with pytest.raises(SteerError, match="directory is larger than"):
        restore(new_store("sqlite"), tmp_path / "b.zip", quiet)


def test_a_file_that_was_cut_or_changed_anywhere_is_refused_and_changes_nothing(new_store, tmp_path):
    store = new_store("sqlite")
    fill(store)
    before = content(store)
    backup(store, tmp_path / "b.zip", quiet)
    whole = (tmp_path / "b.zip").read_bytes()
    damaged = [whole[: len(whole) * part // 8] for part in range(8)]
    for at in range(40, len(whole) // 2, len(whole) // 40):  # inside the packed rows
        damaged.append(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
    for data in damaged:
        (tmp_path / "bad.zip").write_bytes(data)
        with pytest.raises(SteerError, match=r"bad\.zip is"):
            restore(store, tmp_path / "bad.zip", quiet, replace=True)
    with pytest.raises(SteerError, match="there is no file"):
        restore(store, tmp_path / "missing.zip", quiet)
    assert content(store) == before


def _die_in_the_middle(work: str, url: str, file: Path) -> None:
    def die(done: int, total: int) -> None:
        if done > PORTION:
            os.kill(os.getpid(), signal.SIGKILL)

    if work == "backup":
        backup(open_store(url), file, die)
    else:
        restore(open_store(url), file, die, replace=True)


def killed_in_the_middle(work: str, url: str, file: Path) -> bool:
    process = multiprocessing.get_context("spawn").Process(target=_die_in_the_middle, args=(work, url, file))
    process.start()
    process.join(120)
    return process.exitcode == -signal.SIGKILL


def test_a_kill_during_a_backup_leaves_the_one_before(store, store_url, tmp_path):
    add_news(store, 3 * PORTION)
    backup(store, tmp_path / "b.zip", quiet)
    before = (tmp_path / "b.zip").read_bytes()
    assert killed_in_the_middle("backup", store_url, tmp_path / "b.zip")
    assert (tmp_path / "b.zip").read_bytes() == before


def test_a_kill_during_a_restore_leaves_the_store_as_it_was(store, store_url, tmp_path):
    add_news(store, 3 * PORTION)
    backup(store, tmp_path / "b.zip", quiet)
    with store.transaction() as session:
        session.execute(delete(News).where(News.id > PORTION))
    before = content(store)
    assert killed_in_the_middle("restore", store_url, tmp_path / "b.zip")
    assert content(store) == before
    restore(store, tmp_path / "b.zip", quiet, replace=True)
    assert len(content(store)["news"]) == 3 * PORTION
