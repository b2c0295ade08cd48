"""A real server with accounts, for everybody who attacks it."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from core.platform.auth.access import COOKIE
from tests.servers import steer_server

PASSWORD = "correct horse battery"
ROLES = {"ann": "viewer", "bob": "viewer", "carol": "agent", "dora": "agent", "root": "admin"}
# Who may not use everything.
APPS = {"dora": "finance_monitor"}


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
    keys = {name: _user(name, role, folder) for name, role in ROLES.items()}
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


def _user(name: str, role: str, runs: Path) -> str:
    """Create a user; their API key."""
    only = ["--app", APPS[name]] if name in APPS else []
    _steer("users", "add", name, "--role", role, "--password-file", "-", "--runs", str(runs), *only, typed=PASSWORD)
    return _steer("users", "key", name, "--name", "tests", "--runs", str(runs)).strip()


def _steer(*arguments: str, typed: str = "") -> str:
    command = [sys.executable, "-m", "core", *arguments]
    return subprocess.run(command, input=typed, capture_output=True, text=True, check=True, timeout=120).stdout
