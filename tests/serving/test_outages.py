"""A server whose store is out says so, once, and answers again when the store does."""

import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import httpx
import pytest

from core.platform import timeouts
from core.platform.store.database import sqlite_url
from tests.servers import fill, free_port, small_disk, steer_process
from tests.serving.conftest import TASK

pytestmark = pytest.mark.slow

DECIDE = "/v1/bandit/decisions"
ASKED = {"inputs": {"text": "the striker scored twice"}}


@contextmanager
def serving(runs, log, store, *options):
    options = (TASK, "--api-only", "--json-logs", "--store", store, *options)
    with (
        steer_process(runs, log, *options) as (address, process),
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        yield client, process


def lines(log) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def until_it_is(client, status: int) -> httpx.Response:
    end = time.monotonic() + 60
    while (answer := client.get("/ready")).status_code != status and time.monotonic() < end:
        time.sleep(0.2)
    assert answer.status_code == status, answer.text
    return answer


def check_told(log, reason: str) -> None:
    """One error when the store went, one line when it was back, and a reason with each request that failed."""
    told = [line for line in lines(log) if line["event"].startswith("the store is")]
    assert [(line["event"], line["level"]) for line in told] == [
        ("the store is out", "error"),
        ("the store is back", "warning"),
    ]
    assert re.search(reason, told[0]["reason"])
    failed = [line for line in lines(log) if line.get("status") == 503]
    assert failed
    assert all(line["level"] == "warning" and "the store" in line["reason"] for line in failed)
    assert "Traceback" not in log.read_text()


def test_a_silent_postgresql_is_an_outage_that_ends(small_runs, tmp_path, postgres):
    log = tmp_path / "log"
    with serving(small_runs, log, postgres.database("silent")) as (client, process):
        client.post(DECIDE, json=ASKED).raise_for_status()
        with postgres.frozen():
            begun = time.monotonic()
            answer = client.get("/ready")
            assert (answer.status_code, answer.json()["reason"]) == (503, "the store takes no writes")
            assert time.monotonic() - begun < timeouts.ANSWER_SECONDS
            answer = client.post(DECIDE, json=ASKED)
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
            assert "Retry-After" in answer.headers
            assert client.get("/health").status_code == 200
        until_it_is(client, 200)
        client.post(DECIDE, json=ASKED).raise_for_status()
        check_told(log, "silent|expired")
        with postgres.frozen(), ThreadPoolExecutor(1) as others:
            asked = others.submit(client.post, DECIDE, json=ASKED)
            time.sleep(1)
            process.terminate()
            assert process.wait(timeout=60) in (0, -signal.SIGTERM)  # Uvicorn raises it again when all is done
            assert asked.result().status_code == 503
    assert "Traceback" not in log.read_text()


def test_a_store_that_another_process_writes_to_is_not_ready(small_runs, tmp_path):
    log, file = tmp_path / "log", tmp_path / "steer.db"
    with serving(small_runs, log, sqlite_url(file)) as (client, _):
        until_it_is(client, 200)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert client.get("/ready").status_code == 503
            assert client.post(DECIDE, json=ASKED).status_code == 503
            other.execute("ROLLBACK")
        until_it_is(client, 200)
        client.post(DECIDE, json=ASKED).raise_for_status()
    check_told(log, "locked")


def test_a_full_disk_is_an_outage_that_ends(small_runs, tmp_path):
    log = tmp_path / "log"
    with small_disk(tmp_path / "small", 4) as disk:
        with serving(small_runs, log, sqlite_url(disk / "steer.db")) as (client, _):
            client.post(DECIDE, json=ASKED).raise_for_status()
            filler = fill(disk)
            answers = [client.post(DECIDE, json=ASKED).status_code for _ in range(40)]
            assert set(answers) <= {201, 503}
            assert answers[-1] == 503
            until_it_is(client, 503)
            filler.unlink()
            until_it_is(client, 200)
            client.post(DECIDE, json=ASKED).raise_for_status()
            kept = answers.count(201) + 2
        with closing(sqlite3.connect(disk / "steer.db")) as store:
            assert store.execute("SELECT count(*) FROM decisions").fetchone() == (kept,)
    check_told(log, "full")


def test_a_server_that_starts_on_a_full_disk_ends_and_says_why(small_runs, tmp_path):
    with small_disk(tmp_path / "small", 4) as disk:
        store = sqlite_url(disk / "steer.db")
        with serving(small_runs, tmp_path / "log", store):
            pass
        shutil.rmtree(small_runs / "versions")  # they do not go with the store: the next start fails at its last step
        fill(disk)
        command = [sys.executable, "-m", "core", "serve", TASK, "--runs", str(small_runs), "--store", store]
        command += ["--port", str(free_port()), "--api-only"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
