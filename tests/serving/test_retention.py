"""What is older than it is to be kept goes by itself, and at an operator's word."""

import os
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from core.cli.main import app as steer
from core.cli.store import app
from core.platform.pages.uploads import UPLOADS
from core.platform.server.application import Serving, create_app
from core.platform.server.retention import keep_house
from core.platform.store import decisions
from core.platform.store.database import Store, open_store
from core.platform.store.schema import Decision, now

WORD = "Beeblebrox"
APP = "recommender"


@pytest.fixture
def kept(tmp_path) -> Store:
    """A store with two decisions of forty days ago, and one of twenty."""
    store = open_store(f"sqlite:///{tmp_path / 'steer.db'}")
    with store.transaction() as session:
        for days, text in ((40, WORD), (40, WORD), (20, "young")):
            made = {"app": APP, "owner": "ann", "version": "v0001", "action": [], "propensity": 1.0}
            session.add(Decision(time=now() - timedelta(days=days), state={"words": text}, **made))
    yield store
    store.close()


def left(store: Store) -> list[str]:
    with store.reading() as session:
        return [each.state["words"] for each in decisions.made(session, APP)]


def holds(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if WORD.encode() in file.read_bytes()]


def keep(store: Store, span: timedelta | None, until) -> None:
    """Let the housekeeping run until something is true, and end it."""
    stop = threading.Event()
    thread = threading.Thread(target=keep_house, args=(store, span, stop))
    thread.start()
    while not until():
        time.sleep(0.05)
    stop.set()
    thread.join()


def test_a_server_removes_what_is_too_old_and_its_traces(kept, tmp_path):
    assert holds(tmp_path)
    keep(kept, timedelta(days=30), lambda: left(kept) == ["young"])
    assert holds(tmp_path) == []


def test_a_server_keeps_everything_unless_it_is_told_otherwise_and_removes_traces(kept, tmp_path):
    kept.scrubber.has_traces = True
    keep(kept, None, lambda: not kept.scrubber.has_traces)
    assert len(left(kept)) == 3


def test_a_server_removes_old_uploads(tmp_path):
    folder = tmp_path / UPLOADS / "0f3b"
    folder.mkdir(parents=True)
    old, young = folder / "old.jsonl", folder / "young.jsonl"
    for file, hours in ((old, 2), (young, 0)):
        file.write_text(WORD)
        os.utime(file, (time.time() - 3600 * hours,) * 2)
    store = open_store(f"sqlite:///{tmp_path / 'steer.db'}")
    until = time.monotonic() + 60
    with TestClient(create_app([], tmp_path, store, Serving(pages=False))):
        while old.exists() and time.monotonic() < until:
            time.sleep(0.05)
    assert list(folder.iterdir()) == [young]


def test_an_operator_purges_after_a_question(kept, tmp_path):
    arguments = ["purge", "--older-than", "30", "--runs", str(tmp_path)]
    asked = CliRunner().invoke(app, arguments, input="n\n")
    assert asked.exit_code == 1
    assert "Remove 2 rows of before 20" in asked.output
    assert len(left(kept)) == 3
    assert "2 rows of before 20" in CliRunner().invoke(app, arguments, input="y\n").output
    assert left(kept) == ["young"]
    assert holds(tmp_path) == []
    assert "0 rows" in CliRunner().invoke(app, [*arguments, "--yes"]).output


@pytest.mark.parametrize("days", ["0", "-1", "ninety"])
def test_no_number_of_days_is_refused(days, tmp_path):
    assert CliRunner().invoke(app, ["purge", "--older-than", days, "--yes", "--runs", str(tmp_path)]).exit_code == 2
    assert CliRunner().invoke(steer, ["serve", "--keep-days", days, "--runs", str(tmp_path)]).exit_code == 2
    assert not (tmp_path / "steer.db").exists()
