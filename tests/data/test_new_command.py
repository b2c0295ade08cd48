"""`steer new` writes what works at once: a small example, or all that an app ships with."""

import pytest

from core.training.loader import load_task, task_names
from core.training.settings import load_settings
from tests.command import steer


@pytest.mark.parametrize("app", task_names())
def test_the_whole_example_of_an_app_is_a_workspace_like_any_other(app, tmp_path):
    folder = tmp_path / "My Own"
    done = steer("new", app, str(folder), "--example")
    assert done.returncode == 0, done.stderr
    shipped, own = load_task(app), load_task(str(folder))
    assert (shipped.name, own.name) == (app, "my-own")
    assert own.workspace.folder == folder
    first, _ = (folder / "steer.yaml").read_text(encoding="utf-8").split("\n", 1)
    assert first == "# yaml-language-server: $schema=steer.schema.json"
    assert (folder / "steer.schema.json").is_file()
    tasks = [task(load_settings(task.presets[task.preset])) for task in (shipped, own)]
    assert tasks[0].data_fingerprint() == tasks[1].data_fingerprint()


def test_nothing_that_is_there_is_overwritten(tmp_path):
    (tmp_path / "steer.yaml").write_text("app: mine\n")
    done = steer("new", "recommender", str(tmp_path), "--example")
    assert done.returncode == 2
    assert "is there already, and not empty" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["steer.yaml"]
