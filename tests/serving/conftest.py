"""A small task to serve where the apps have nothing to say."""

from pathlib import Path

import pytest

from core.training.run import Run
from core.training.train import train
from tests.core import bandit

TASK = bandit.__file__


@pytest.fixture(scope="package")
def small_run(tmp_path_factory) -> Path:
    """Folder of a trained run of the task in `TASK`."""
    run = Run(tmp_path_factory.mktemp("small") / bandit.Bandit.name)
    train(bandit.Bandit(bandit.settings()), run, lambda *_: None, lambda *_: None)
    (run.model("rl") / "encoder" / "model.safetensors").unlink()  # never read; 90 MB less
    return run.folder


@pytest.fixture
def small_runs(small_run, tmp_path) -> Path:
    """Folder of runs of one's own, with that one."""
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / small_run.name).symlink_to(small_run)
    return folder
