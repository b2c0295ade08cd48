"""A trained, evaluated run of the small task, and a version library on either store engine."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from core.envs.play import play
from core.platform.versions.library import Library
from core.platform.versions.metrics import Metrics
from core.training.evaluate import compare, save_comparison
from core.training.run import Run, trained_policy
from core.training.task import greedy
from core.training.train import train
from tests.core.bandit import Bandit, settings
from tests.folders import temporary_folder


def quiet(*_):
    pass


class OtherData(Bandit):
    """The same task after its data have changed."""

    def data_fingerprint(self) -> str:
        return "2"


@pytest.fixture(scope="package")
def changed_task() -> Bandit:
    return OtherData(settings())


@pytest.fixture(scope="package")
def task() -> Bandit:
    return Bandit(settings())


@pytest.fixture(scope="package")
def runs(tmp_path_factory, task) -> Iterator[Path]:
    """Folder with a run that was trained and evaluated."""
    with temporary_folder(tmp_path_factory, "runs") as folder:
        run = Run(folder / task.name)
        train(task, run, quiet, quiet)
        save_comparison(task, run, compare(task, run))
        (run.model("rl") / "encoder" / "model.safetensors").unlink()  # never read; 90 MB less
        yield folder


@pytest.fixture(scope="package")
def good(runs) -> Run:
    return Run(runs / Bandit.name)


@pytest.fixture(scope="package")
def spoilt(runs, good, tmp_path_factory) -> Iterator[Run]:
    """The same run with its last layer's signs turned: it takes the worst kind for the best."""
    with temporary_folder(tmp_path_factory, "spoilt") as folder:
        run = Run(folder / Bandit.name)
        shutil.copytree(good.folder, run.folder)
        file = run.model("rl") / "policy.safetensors"
        tensors = {name: -value if name.startswith("head.") else value for name, value in load_file(file).items()}
        save_file(tensors, file)
        yield run


@pytest.fixture(scope="package")
def measured(task):
    """Plays the test split with the policy of a run."""

    def measure(run: Run) -> Metrics:
        return Metrics.of(play(task.environment("test"), greedy(trained_policy(task, run))).returns)

    return measure


@pytest.fixture(scope="package")
def good_metrics(measured, good) -> Metrics:
    return measured(good)


@pytest.fixture(scope="package")
def spoilt_metrics(measured, spoilt) -> Metrics:
    return measured(spoilt)


@pytest.fixture
def library(store, tmp_path) -> Library:
    return Library(store, tmp_path / "versions")
