"""`steer models`, as a user types it."""

import re
from contextlib import closing
from pathlib import Path

import pytest

from core.cli.versions import app
from core.platform.store import versions
from core.platform.store.database import open_store, sqlite_url
from core.platform.versions.library import VERSIONS, Library
from tests.command import Done, steer
from tests.core import bandit


@pytest.fixture
def place(tmp_path, task, good, good_metrics, spoilt, spoilt_metrics) -> Path:
    """A folder of runs with two versions, of which the second is worse and none serves."""
    store = open_store(sqlite_url(tmp_path / "steer.db"))
    library = Library(store, tmp_path / VERSIONS)
    library.register(task, good, good_metrics, "trained [today]")
    library.register(task, spoilt, spoilt_metrics, "spoilt")
    store.close()
    return tmp_path


def models(*arguments: str, runs: Path) -> Done:
    return steer("models", *arguments, "--runs", str(runs), STEER_STORE="")


def test_versions_are_listed_promoted_refused_and_rolled_back(place):
    assert models("promote", bandit.__file__, "v0001", runs=place).returncode == 0
    refused = models("promote", bandit.__file__, "v0002", runs=place)
    assert refused.returncode == 2
    assert "v0002 is worse than v0001, which serves" in refused.stderr
    assert "--reason" in refused.stderr
    done = models("promote", bandit.__file__, "v0002", "--reason", "a [drill]", runs=place)
    assert re.search(r"bandit v0002: promoted by .* \(a \[drill\]\)", done.stdout)

    listed = models("list", "bandit", runs=place).stdout
    assert re.search(r"v0001 +│ +│ \d\.\d+ \[.*\] +│ 20\d\d-.*│ trained \[today\]", listed)
    assert re.search(r"v0002 +│ serves │ -", listed)

    assert "bandit v0001: promoted by" in models("rollback", "bandit", runs=place).stdout


def test_a_version_is_shown_with_its_files_figures_and_promotions(place):
    models("promote", bandit.__file__, "v0001", runs=place)
    shown = models("show", "bandit", "v0001", runs=place).stdout
    assert "reward on 12 test episodes: " in shown
    assert re.search(r"rl/model/policy\.safetensors +│ [0-9a-f]{64}", shown)
    assert "bandit v0001: promoted by" in shown
    missing = models("show", "bandit", "v0003", runs=place)
    assert missing.returncode == 2
    assert "there are v0001, v0002" in missing.stderr


def test_a_promotion_by_somebody_who_was_erased_names_nobody(place):
    with closing(open_store(sqlite_url(place / "steer.db"))) as store, store.transaction() as session:
        promoted = versions.find(session, "bandit", "v0001")
        versions.promote(session, promoted, "")
    assert "bandit v0001: promoted by somebody who is erased" in models("show", "bandit", "v0001", runs=place).stdout


def test_a_version_travels_in_a_file(place, tmp_path):
    file, there = tmp_path / "bandit.zip", tmp_path / "there"
    assert str(file) in models("export", "bandit", "v0001", str(file), runs=place).stdout.replace("\n", "")
    done = models("import", str(file), runs=there)
    assert "bandit v0001: `steer models promote bandit v0001` lets it serve" in done.stdout
    assert models("promote", bandit.__file__, "v0001", runs=there).returncode == 0

    file.write_bytes(file.read_bytes()[:-100])
    broken = models("import", str(file), runs=there)
    assert broken.returncode == 2
    assert "bandit.zip is no whole zip archive" in broken.stderr
    assert "Traceback" not in broken.stderr


def test_every_command_has_an_example():
    examples = {command.name or command.callback.__name__: command.epilog for command in app.registered_commands}
    assert set(examples) == {"list", "show", "publish", "promote", "rollback", "export", "import"}
    for name, example in examples.items():
        assert example.startswith(f"Example: `steer models {name} ")
