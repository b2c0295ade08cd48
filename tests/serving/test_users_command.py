"""`steer users`, as an operator types it."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from core.cli.users import app
from core.platform.store import accounts
from core.platform.store.database import open_store
from tests.command import Done, steer

PASSWORD = "correct horse battery"


@pytest.fixture
def users(tmp_path):
    """Run `steer users`, with a store in a folder of runs of its own."""

    def run(*arguments: str, typed: str = "") -> Done:
        return steer("users", *arguments, "--runs", str(tmp_path), typed=typed)

    return run


@pytest.fixture
def alone(tmp_path):
    """Run `steer users` in a session of its own: without a terminal, a password is read from standard input."""

    def run(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "core", "users", *arguments, "--runs", str(tmp_path)]
        return subprocess.run(
            command, input=typed, capture_output=True, text=True, check=False, timeout=120, start_new_session=True
        )

    return run


def test_a_script_that_gives_no_password_is_told_of_the_option(alone):
    done = alone("add", "ann", "--role", "viewer")
    assert done.returncode == 2
    assert "give the password with --password-file FILE, or - for standard input" in done.stderr


@pytest.fixture
def store(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'steer.db'}")
    with store.transaction() as session:
        accounts.create(session, "root", PASSWORD, "admin")
    yield store
    store.close()


def test_a_user_lives_through_the_commands(users, alone, store):
    added = users("add", "Ann", "--role", "agent", "--password-file", "-", typed=PASSWORD + "\n")
    assert added.returncode == 0, added.stderr
    assert added.stdout == "ann may log in as agent\n"
    asked = alone("password", "ann", typed="another long password\n" * 2)
    assert asked.returncode == 0, asked.stderr
    assert "another" not in asked.stdout + asked.stderr
    with store.reading() as session:
        assert accounts.authenticate(session, "ann", PASSWORD) is None
        assert accounts.authenticate(session, "ann", "another long password").role == "agent"
    assert users("role", "ann", "admin").stdout == "ann is now admin\n"
    assert users("disable", "ann").stdout == "ann is disabled\n"
    assert "disabled" in users("list").stdout
    assert users("enable", "ann").stdout == "ann is enabled\n"


def test_a_user_is_deleted_after_a_question_and_once(users, store):
    with store.transaction() as session:
        accounts.create(session, "ann", PASSWORD, "viewer")
    refused = users("delete", "ann", typed="n\n")
    assert refused.returncode == 1
    with store.reading() as session:
        assert accounts.find(session, "ann")
    assert users("delete", "Ann", typed="y\n").returncode == 0
    again = users("delete", "ann", "--yes")
    assert again.returncode == 2
    assert "There is no user 'ann'" in again.stderr


def test_a_key_is_printed_once_and_alone_so_that_a_script_can_take_it(users, store):
    issued = users("key", "root", "--name", "[ci]")
    assert issued.returncode == 0, issued.stderr
    key = issued.stdout.removesuffix("\n")
    with store.reading() as session:
        assert accounts.of_key(session, key).name == "root"
        ((_, record),) = accounts.keys(session)
    assert record.id in issued.stderr
    listed = users("list").stdout
    assert record.id in listed
    assert "[ci]" in listed
    assert key not in listed
    assert users("revoke", record.id).stdout == "the key [ci] is revoked\n"
    with store.reading() as session:
        assert accounts.of_key(session, key) is None


@pytest.mark.parametrize(
    ("arguments", "typed", "message"),
    [
        (["add", "ann", "--role", "agent", "--password-file", "-"], "short\n", "10 to 256 characters"),
        (["add", "root", "--role", "agent", "--password-file", "-"], PASSWORD, "there is a user 'root' already"),
        (["disable", "root"], "", "root is the last admin"),
        (["delete", "root", "--yes"], "", "root is the last admin"),
        (["delete", "nobody", "--yes"], "", "There is no user 'nobody', and nothing is kept of one"),
        (["delete", "root"], "", "nobody is here to answer; nothing was changed; --yes goes on without asking"),
        (["role", "nobody", "agent"], "", "there is no user 'nobody'"),
        (["revoke", "nothing"], "", "no API key of the id 'nothing'"),
    ],
)
def test_a_mistake_gets_one_clear_line(users, store, arguments, typed, message):
    done = users(*arguments, typed=typed)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_help_shows_every_command_with_an_example():
    overview = CliRunner().invoke(app, ["--help"]).output
    for command in ("add", "list", "role", "password", "disable", "enable", "delete", "key", "revoke"):
        assert command in overview
        assert f"steer users {command}" in CliRunner().invoke(app, [command, "--help"]).output
