"""A real server with accounts, for everybody who attacks it."""

import json
import shutil
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page

from core.platform.auth.access import COOKIE
from core.platform.store import accounts
from core.platform.store.database import open_store, sqlite_url
from tests.servers import steer_server

PASSWORD = "correct horse battery"
ROLES = {"ann": "viewer", "bob": "viewer", "carol": "agent", "dora": "agent", "root": "admin"}
# Who may not use everything.
APPS = {"dora": ["finance_monitor"]}


def added(runs: Path, roles: dict[str, str]) -> dict[str, str]:
    """New users of a server, by name and role; their API keys."""
    with closing(open_store(sqlite_url(runs / "steer.db"))) as store, store.transaction() as session:
        for name, role in roles.items():
            accounts.create(session, name, PASSWORD, role, APPS.get(name))
        return {name: accounts.issue_key(session, name, "tests")[1] for name in roles}


def log_in(page: Page, name: str) -> None:
    """Fill in the form that a page leads to."""
    page.locator("input[name=name]").fill(name)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button").click()


@dataclass(frozen=True)
class Guarded:
    """A running server with accounts.

    Attributes:
        address: of the server.
        runs: its folder, which holds the store and the secret.
        keys: API keys by user.
        cookie: of a session of ann's.
    """

    address: str
    runs: Path
    keys: dict[str, str] = field(repr=False)
    cookie: str = field(repr=False)

    def client(self, name: str, **options) -> httpx.Client:
        """Of a user with their key."""
        headers = {"Authorization": f"Bearer {self.keys[name]}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=60, **options)


@pytest.fixture(scope="session")
def guarded(runs, tmp_path_factory):
    """The server with accounts; no request of the API may make it fail."""
    folder = tmp_path_factory.mktemp("guarded") / "runs"
    shutil.copytree(runs, folder)
    keys = added(folder, ROLES)
    log = folder.parent / "log"
    with steer_server(folder, log, "--auth", "--json-logs") as address:
        form = {"name": "ann", "password": PASSWORD}
        cookie = httpx.post(f"{address}/login", data=form, timeout=60).cookies[COOKIE]
        yield Guarded(address, folder, keys, cookie)
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert [line for line in lines if line.get("status", 0) >= 500] == []
    written = log.read_text()
    assert not [secret for secret in (PASSWORD, cookie, *keys.values()) if secret in written]


@pytest.fixture(scope="module")
def ann(guarded):
    """A viewer, whose things the others are after."""
    with guarded.client("ann") as client:
        yield client


@pytest.fixture(scope="module")
def bob(guarded):
    """Another viewer."""
    with guarded.client("bob") as client:
        yield client


@pytest.fixture(scope="module")
def carol(guarded):
    """An agent."""
    with guarded.client("carol") as client:
        yield client
