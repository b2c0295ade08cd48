"""What is trained, in which order, and what is trained again after a change."""

from collections.abc import Iterator

import numpy as np
import pytest
from typer.testing import CliRunner

from core.cli.main import app
from core.training.evaluate import compare
from core.training.loader import load_task
from core.training.run import Run, fingerprint, reuse_stages
from core.training.source import source_files, source_fingerprint
from core.training.stages import LinearProbe, ReinforcementLearning, WarmStart
from core.training.task import Task
from core.training.train import train
from core.util.errors import SteerError
from tests.core.bandit import Bandit, settings
from tests.folders import temporary_folder

SHORT = ("linear.iterations=1", "supervised.iterations=1", "rl.iterations=1")


def quiet(*_):
    pass


class OnlyRewards(Bandit):
    """The same sentences, of which nobody knows the labels."""

    demonstrations = Task.demonstrations
    reward_table = Task.reward_table

    def environment(self, split, num_envs=None, *, shuffle=False):
        return Bandit(self.settings).environment(split, num_envs, shuffle=shuffle)


class Unprobed(Bandit):
    def stages(self):
        return WarmStart(), ReinforcementLearning(after="supervised")


class FromScratch(Bandit):
    """Labels serve as a baseline alone: RL does not begin with them."""

    def stages(self):
        return WarmStart(), ReinforcementLearning()


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Iterator[Run]:
    with temporary_folder(tmp_path_factory, "runs") as folder:
        run = Run(folder / "bandit")
        train(Bandit(settings(*SHORT)), run, quiet, quiet)
        yield run


def test_without_labels_a_task_has_one_stage_and_the_baselines_that_can_exist(tmp_path):
    task, run, begun = OnlyRewards(settings(*SHORT)), Run(tmp_path / "run"), []
    train(task, run, quiet, begun.append)
    assert begun == ["rl"]
    comparison = compare(task, run)
    assert list(comparison.played) == ["initial", "rl"]


def test_a_task_gives_its_own_stages(tmp_path):
    task, run, begun = Unprobed(settings(*SHORT)), Run(tmp_path / "run"), []
    train(task, run, quiet, begun.append)
    assert begun == ["supervised", "rl"]
    assert list(compare(task, run).played) == ["initial", "supervised", "cost_optimal", "rl"]


def test_rl_may_begin_with_a_fresh_policy_beside_a_supervised_baseline():
    warm, fresh = Unprobed(settings()), FromScratch(settings())
    changed = settings("supervised.iterations=2")
    assert fingerprint(warm, warm.stages()[-1]) != fingerprint(Unprobed(changed), warm.stages()[-1])
    assert fingerprint(fresh, fresh.stages()[-1]) == fingerprint(FromScratch(changed), fresh.stages()[-1])


def test_a_task_with_nothing_to_learn_from_says_what_it_lacks(tmp_path):
    class Empty(Task):
        name = title = "empty"

        def policy(self, *, frozen=False):
            return Bandit(self.settings).policy(frozen=frozen)

    with pytest.raises(SteerError, match="empty has neither an environment nor logged decisions of the validation"):
        train(Empty(settings(*SHORT)), Run(tmp_path), quiet, quiet)


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ("rl.learning_rate=0.5", {"rl"}),
        ("supervised.iterations=3", {"supervised", "rl"}),
        ("linear.iterations=3", {"linear"}),
        ("encoder.layers=2", {"linear", "supervised", "rl"}),
        ("rewards.right=2", {"linear", "supervised", "rl"}),  # the best iteration is that of the highest reward
        ("seed=5", {"linear", "supervised", "rl"}),
    ],
)
def test_only_stages_that_depend_on_a_change_are_stale(trained, change, stale):
    task = Bandit(settings(*SHORT, change))
    assert stale == {
        stage.name for stage in task.stages() if not trained.is_finished(stage.name, fingerprint(task, stage))
    }


def test_finished_stages_are_taken_over_and_their_policies_are_the_same(trained, tmp_path):
    task, run, begun = Bandit(settings(*SHORT, "rl.learning_rate=0.001")), Run(tmp_path / "bandit"), []
    reuse_stages(task, run, [trained])
    train(task, run, quiet, begun.append)
    assert begun == ["rl"]
    assert run.history("supervised") == trained.history("supervised")


def test_a_stage_that_exists_already_is_not_replaced(trained, tmp_path):
    run = Run(tmp_path / "bandit")
    (run.folder / "supervised").mkdir(parents=True)
    reuse_stages(Bandit(settings(*SHORT)), run, [trained])
    assert not (run.folder / "supervised" / "history.json").exists()
    assert (run.folder / "rl" / "history.json").exists()


CODE = '''
"""A task."""
import numpy as np
from tests.core.bandit import Bandit

PRICE = 1.0

class Shop(Bandit):
    name = "shop"
    presets = {"quick": dict(Bandit.presets["quick"])}

    def reward_table(self, states):
        return PRICE * super().reward_table(states)
'''


def of(code: str, tmp_path) -> str:
    file = tmp_path / "my_task.py"
    file.write_text(code)
    return source_fingerprint(load_task(str(file)))


def test_a_changed_constant_is_seen_and_a_changed_comment_or_preset_is_not(tmp_path):
    before = of(CODE, tmp_path)
    assert of(CODE.replace("PRICE = 1.0", "PRICE = 2.0"), tmp_path) != before
    assert of(CODE.replace("PRICE = 1.0", "PRICE  =  1.0  # euros"), tmp_path) == before
    assert of(CODE.replace("A task.", "The task."), tmp_path) == before
    assert of(CODE.replace('dict(Bandit.presets["quick"])', "{}"), tmp_path) == before


def test_the_code_that_a_task_imports_from_its_own_folder_counts(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    code = CODE.replace("PRICE = 1.0", "from own_prices import PRICE")
    prices = tmp_path / "own_prices.py"
    prices.write_text("PRICE = 1.0\n")
    before = of(code, tmp_path)
    prices.write_text("PRICE = 1.5\n")
    assert of(code, tmp_path) != before


def test_a_variable_that_is_called_like_an_attribute_of_the_task_counts(tmp_path):
    code = CODE.replace("        return PRICE", "        title = 1.0\n        return title * PRICE")
    assert of(code, tmp_path) != of(code.replace("title = 1.0", "title = 2.0"), tmp_path)


def test_what_a_package_imports_from_beside_itself_counts(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "own_shop"
    package.mkdir()
    (package / "__init__.py").write_text("from .prices import PRICE\n")
    prices = package / "prices.py"
    prices.write_text("PRICE = 1.0\n")
    code = CODE.replace("PRICE = 1.0", "from own_shop import PRICE")
    before = of(code, tmp_path)
    prices.write_text("PRICE = 1.5\n")
    assert of(code, tmp_path) != before


def test_an_apps_states_and_rewards_count_and_its_page_does_not():
    names = {file.name for file in source_files(load_task("customer_service"))}
    assert {"task.py", "environment.py", "data.py", "knowledge.py", "rewards.py"} <= names
    assert not names & {"ui.py", "api.py", "service.py", "app.py", "engine.py"}


def test_a_changed_reward_in_a_users_file_trains_again_and_keeps_the_earlier_run(tmp_path):
    file, runs = tmp_path / "my_task.py", tmp_path / "runs"
    settings = [part for override in SHORT for part in ("--set", override)]

    def steer_train(*more: str) -> str:
        done = CliRunner().invoke(app, ["train", str(file), "--runs", str(runs), *settings, *more])
        assert done.exception is None, done.exception
        return done.output

    file.write_text(CODE)
    assert "done in" in steer_train()
    assert "trained already" in steer_train()
    file.write_text(CODE.replace("PRICE = 1.0", "PRICE = 3.0"))
    said = steer_train()
    assert "an earlier run of other settings, code or data is kept" in said.replace("\n", " ")
    assert "done in" in said
    assert (runs / "shop.before-1" / "rl" / "history.json").is_file()
    rewards = [run.history("rl")[0]["validation_reward"] for run in (Run(runs / "shop"), Run(runs / "shop.before-1"))]
    assert np.isclose(rewards[0], 3 * rewards[1])
    warm = (runs / "shop" / "supervised" / "history.json").stat().st_ino
    steer_train("--set", "rl.learning_rate=0.001")
    assert (runs / "shop" / "supervised" / "history.json").stat().st_ino == warm  # taken over, not trained
    steer_train("--fresh")
    assert (runs / "shop" / "supervised" / "history.json").stat().st_ino != warm


def test_the_ready_made_stages_are_named_as_their_settings():
    for stage in (LinearProbe(), WarmStart(), ReinforcementLearning()):
        assert hasattr(settings(), stage.name)
