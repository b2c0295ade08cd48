"""Registering versions: whole or not at all, and one after the other."""

import multiprocessing
import random
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from core.platform.store import versions
from core.platform.store.database import open_store
from core.platform.versions.library import Library
from core.platform.versions.manifest import verify
from core.platform.versions.metrics import Metrics
from core.training.loader import open_task
from core.training.run import Run, trained_policy
from core.training.settings import load_settings
from core.util.errors import SteerError
from tests.core.bandit import Bandit, settings

TEXTS = {"text": ("the soup was hot", "he won the race", "it rained all day")}


def test_a_version_decides_as_the_run_that_it_was_made_of(library, task, good, good_metrics):
    version = library.register(task, good, good_metrics, "first try")
    run = library.open(version)
    opened = open_task(Bandit, run)
    assert opened.settings == task.settings
    wanted = trained_policy(task, good).logits(TEXTS)
    assert (trained_policy(opened, run).logits(TEXTS) == wanted).all()
    assert "Measured on the test split" in (run.folder / "README.md").read_text()


def test_a_version_knows_what_it_earned_on_which_data(library, task, changed_task, good, good_metrics):
    library.register(task, good, good_metrics, "first try")
    found = library.version("bandit", "v0001")
    assert Metrics.model_validate(found.metrics) == good_metrics
    assert len(good_metrics.returns) == 12
    assert (found.note, found.folder) == ("first try", "bandit/v0001")
    assert found.fingerprint == verify(library.path(found)).data
    other = library.register(changed_task, good, good_metrics)
    assert other.fingerprint != found.fingerprint


def test_names_count_up_and_a_new_version_serves_nobody(library, task, good):
    names = [library.register(task, good, Metrics()).name for _ in range(3)]
    assert names == ["v0001", "v0002", "v0003"]
    with library.store.reading() as session:
        assert versions.current(session, "bandit") is None


def test_an_unknown_version_is_answered_with_those_that_there_are(library, task, good):
    with pytest.raises(SteerError, match="bandit has no version 'v0007'; there are none"):
        library.version("bandit", "v0007")
    library.register(task, good, Metrics())
    with pytest.raises(SteerError, match="there are v0001"):
        library.version("bandit", "v0007")


def test_a_run_without_a_policy_makes_no_version(library, task, tmp_path):
    with pytest.raises(SteerError, match="run `steer train bandit` first"):
        library.register(task, Run(tmp_path / "nothing"), Metrics())
    assert not (library.folder / "bandit").exists()


def test_registrations_at_the_same_time_get_different_names(library, task, good):
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: library.register(task, good, Metrics()).name, range(8)))
    assert sorted(made) == [f"v{number:04d}" for number in range(1, 9)]


def test_another_stores_folder_is_never_overwritten(library, task, good):
    foreign = library.folder / "bandit" / "v0001"
    foreign.mkdir(parents=True)
    (foreign / "precious").touch()
    assert library.register(task, good, Metrics()).name == "v0002"
    assert (foreign / "precious").exists()


def test_the_first_start_adopts_the_trained_run_and_later_ones_keep_what_serves(library, runs):
    first = library.adopt(Bandit, runs, "the server")
    assert Metrics.model_validate(first.metrics).reward is not None
    again = library.adopt(Bandit, runs, "the server")
    assert (first.name, again.name, again.note) == ("v0001", "v0001", "the trained run")
    with library.store.reading() as session:
        [promotion] = versions.history(session, "bandit")
    assert (promotion.version, promotion.who) == ("v0001", "the server")


def test_a_trained_run_is_published_beside_what_serves(library, runs, tmp_path):
    library.adopt(Bandit, runs, "the server")
    version = library.publish(Bandit, runs)
    assert (version.name, version.note) == ("v0002", "the trained run")
    with library.store.reading() as session:
        assert versions.current(session, "bandit").name == "v0001"
    shutil.copytree(runs, tmp_path / "runs")
    (tmp_path / "runs" / "bandit" / "episodes.json").unlink()
    with pytest.raises(SteerError, match="run `steer evaluate bandit` first"):
        library.publish(Bandit, tmp_path / "runs")


def test_servers_that_start_together_adopt_once(library, runs):
    with ThreadPoolExecutor(3) as pool:
        adopted = list(pool.map(lambda _: library.adopt(Bandit, runs, "a server").name, range(3)))
    assert adopted == ["v0001"] * 3


def test_a_run_that_nobody_evaluated_is_adopted_and_says_so(library, runs, tmp_path):
    shutil.copytree(runs, tmp_path / "runs")
    (tmp_path / "runs" / "bandit" / "episodes.json").unlink()
    version = library.adopt(Bandit, tmp_path / "runs", "the server")
    assert Metrics.model_validate(version.metrics).reward is None
    assert "nobody had evaluated" in version.note


def test_figures_of_other_settings_do_not_count_when_a_run_is_adopted(library, runs, tmp_path):
    shutil.copytree(runs, tmp_path / "runs")
    file = tmp_path / "runs" / "bandit" / "settings.yaml"
    file.write_text(file.read_text().replace("seed: 0", "seed: 1"))
    assert load_settings({}, file) != settings()
    assert Metrics.model_validate(library.adopt(Bandit, tmp_path / "runs", "the server").metrics).reward is None


def test_without_any_run_there_is_nothing_to_adopt(library, tmp_path):
    with pytest.raises(SteerError, match="run `steer train bandit` first"):
        library.adopt(Bandit, tmp_path, "the server")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: (folder / "rl/model/policy.safetensors").write_bytes(b"x"), "policy.safetensors was changed"),
        (lambda folder: (folder / "settings.yaml").unlink(), "settings.yaml is missing"),
        (lambda folder: (folder / "rl/model/more.json").touch(), "more.json is not in the manifest"),
        (lambda folder: (folder / "manifest.json").write_text("{}"), "manifest.json of .* is damaged"),
        (lambda folder: (folder / "manifest.json").unlink(), "it has no manifest.json"),
    ],
)
def test_a_version_whose_files_were_touched_does_not_open(library, task, good, harm, message):
    version = library.register(task, good, Metrics())
    harm(library.path(version))
    with pytest.raises(SteerError, match=message):
        library.open(version)


def _register_for_ever(url: str, folder: Path, run: Path) -> None:
    library = Library(open_store(url), folder)
    task = Bandit(settings())
    while True:
        library.register(task, Run(run), Metrics.of(np.ones(12)))


def test_a_registration_that_is_killed_leaves_no_half_version(library, store_url, task, good):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["core.platform.versions.library", "tests.core.bandit"])
    for _ in range(8):
        process = context.Process(target=_register_for_ever, args=(store_url, library.folder, good.folder))
        process.start()
        known = _count(library)
        while process.is_alive() and _count(library) == known:  # it has begun
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.4))
        process.kill()
        process.join()
        assert process.exitcode == -9
    with library.store.reading() as session:
        registered = versions.registered(session, "bandit")
    assert len(registered) >= 8
    for version in registered:
        library.open(version)
    library.register(task, good, Metrics())
    assert not list(library.folder.glob(".new.*"))


def _count(library: Library) -> int:
    with library.store.reading() as session:
        return len(versions.registered(session, "bandit"))
