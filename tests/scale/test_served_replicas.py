"""`steer serve --replicas 2` with accounts: who logged in is known to both, and both log as one process does."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy.orm import Session

from core.platform.auth.access import COOKIE
from core.platform.store import accounts, decisions
from core.platform.store.database import open_store, sqlite_url
from core.platform.store.erasure import erase_person
from core.training.run import Run
from core.training.train import train
from core.util.errors import NotFoundError
from tests.core import bandit
from tests.folders import temporary_folder
from tests.servers import steer_process

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
DECIDE = "/v1/bandit/decisions"
ASKED = {"inputs": {"text": "the striker scored twice"}}
TIMES = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with temporary_folder(tmp_path_factory, "replicas") as folder:
        run = Run(folder / "runs" / bandit.Bandit.name)
        train(bandit.Bandit(bandit.settings()), run, lambda *_: None, lambda *_: None)
        yield folder


@pytest.fixture(scope="module")
def served(folder):
    """Address of two replicas, an API key, and their log."""
    store = open_store(sqlite_url(folder / "runs" / "steer.db"))
    with store.transaction() as session:
        accounts.create(session, "ann", PASSWORD, "viewer")
        accounts.create(session, "root", PASSWORD, "admin")
        _, key = accounts.issue_key(session, "ann", "ci")
    store.close()
    log = folder / "log"
    options = (bandit.__file__, "--replicas", "2", "--auth", "--json-logs")
    with steer_process(folder / "runs", log, *options) as (address, _):
        yield address, key, log


def test_a_login_counts_at_every_replica_until_the_password_changes(served, folder):
    address, key, _ = served
    with httpx.Client(base_url=address, timeout=60) as client:
        assert client.post(DECIDE, json=ASKED).status_code == 401
        logged_in = client.post("/login", data={"name": "ann", "password": PASSWORD})
        assert logged_in.status_code == 303
        assert COOKIE in client.cookies
        assert {client.post(DECIDE, json=ASKED).status_code for _ in range(TIMES)} == {201}
        keyed = {"Authorization": f"Bearer {key}"}
        assert {httpx.post(address + DECIDE, json=ASKED, headers=keyed).status_code for _ in range(TIMES)} == {201}
        with changed(folder) as session:
            accounts.set_password(session, "ann", PASSWORD + " again")
        assert {client.post(DECIDE, json=ASKED).status_code for _ in range(TIMES)} == {401}


def decided(address: str, **who: object) -> set[int]:
    """Statuses of many requests, each on a connection of its own, so that either replica gets some."""
    return {httpx.post(address + DECIDE, json=ASKED, timeout=60, **who).status_code for _ in range(TIMES)}


@contextmanager
def changed(folder: Path) -> Iterator[Session]:
    """A transaction of the store that the replicas share."""
    with closing(open_store(sqlite_url(folder / "runs" / "steer.db"))) as store, store.transaction() as session:
        yield session


@pytest.fixture
def bob(served, folder):
    """A viewer who has logged in: the cookie, and a key."""
    address, _, _ = served
    with changed(folder) as session:
        accounts.create(session, "bob", PASSWORD, "viewer")
        _, key = accounts.issue_key(session, "bob", "ci")
    form = {"name": "bob", "password": PASSWORD}
    yield httpx.post(f"{address}/login", data=form, timeout=60).cookies, {"Authorization": f"Bearer {key}"}
    with suppress(NotFoundError), changed(folder) as session:  # unless he is erased already
        erase_person(session, "bob")


def test_a_logout_at_one_replica_counts_at_the_other(served, bob):
    address, _, _ = served
    cookies, key = bob
    assert decided(address, cookies=cookies) == {201}
    httpx.post(f"{address}/logout", cookies=cookies, timeout=60)
    assert decided(address, cookies=cookies) == {401}
    assert decided(address, headers=key) == {201}  # the session has ended, and not the account


def test_who_is_erased_at_one_replica_is_unknown_at_the_other(served, folder, bob):
    address, _, _ = served
    cookies, key = bob
    assert decided(address, cookies=cookies) == {201}
    assert httpx.delete(f"{address}/v1/users/bob", headers=key, timeout=60).status_code == 204
    assert decided(address, cookies=cookies) == decided(address, headers=key) == {401}
    with changed(folder) as session:
        assert "bob" not in {decision.owner for decision in decisions.made(session, bandit.Bandit.name)}


def test_guessing_is_slowed_down_behind_replicas_too(served):
    address, _, _ = served
    guess = {"name": "root", "password": "a wrong guess"}
    answers = [httpx.post(f"{address}/login", data=guess, timeout=60).status_code for _ in range(16)]
    assert set(answers) == {401, 429}
    assert answers.count(401) <= 2 * 5, "each replica counts for itself"


def test_every_line_of_every_replica_is_json_and_none_holds_a_secret(served):
    address, key, log = served
    ids = [f"request-{number:04d}" for number in range(TIMES)]
    for request_id in ids:
        headers = {"Authorization": f"Bearer {key}", "X-Request-ID": request_id}
        httpx.post(address + DECIDE, json=ASKED, headers=headers, timeout=60).raise_for_status()
    end = time.monotonic() + 30
    while not all(request_id in log.read_text() for request_id in ids) and time.monotonic() < end:
        time.sleep(0.2)
    lines = log.read_text().splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert {line["request_id"] for line in told if line["event"] == "request"} >= set(ids)
    others = [line for line in lines if not line.startswith("{")]
    assert [line for line in others if not re.match(r"Steer is ready: 2 replicas|\s", line)] == []
    assert PASSWORD not in log.read_text()
    assert key not in log.read_text()
