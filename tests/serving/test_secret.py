"""Where the secret that sessions are signed with comes from."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.platform.auth.secret import load_secret
from core.util.errors import SteerError

SECRET = "a secret of the tests, long enough"


@pytest.fixture
def no_secret(monkeypatch):
    for name in ("STEER_SECRET", "STEER_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path, no_secret):
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(load_secret, [tmp_path / "runs"] * 8))
    assert made == {load_secret(tmp_path / "runs")}
    assert load_secret(tmp_path / "others") not in made
    assert stat.S_IMODE((tmp_path / "runs" / "secret").stat().st_mode) == 0o600


def test_the_secret_comes_from_the_environment_or_a_file_first(tmp_path, no_secret, monkeypatch):
    file = tmp_path / "of the operator"
    file.write_text(SECRET + "\n")
    monkeypatch.setenv("STEER_SECRET_FILE", str(file))
    assert load_secret(tmp_path / "runs") == SECRET
    monkeypatch.setenv("STEER_SECRET", SECRET[::-1])
    assert load_secret(tmp_path / "runs") == SECRET[::-1]
    assert not (tmp_path / "runs").exists()


def test_a_secret_that_will_not_do_says_what_will_and_is_not_shown(tmp_path, no_secret, monkeypatch):
    monkeypatch.setenv("STEER_SECRET_FILE", str(tmp_path / "missing"))
    with pytest.raises(SteerError, match="missing cannot be read: No such file"):
        load_secret(tmp_path)
    monkeypatch.setenv("STEER_SECRET", "hunter2")
    with pytest.raises(SteerError, match="fewer than 32 characters") as caught:
        load_secret(tmp_path)
    assert "hunter2" not in str(caught.value)
