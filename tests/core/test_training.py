"""Training on a small real task: it learns, resumes along the same curve, and survives what goes wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from core.cli.tables import comparison_tables
from core.evaluation.comparison import Comparison, verdict
from core.rl.all_action import AllAction, AllActionSettings
from core.rl.learner import trained_copy
from core.rl.off_policy import LoggedDecisions
from core.rl.schedule import learning_rate_schedule
from core.rl.settings import StageSettings
from core.rl.supervised import Supervised
from core.training.evaluate import compare, save_comparison, saved_comparison
from core.training.run import Run, fingerprint, trained_policy
from core.training.train import train
from core.util.errors import SteerError
from tests.core.bandit import Bandit, settings
from tests.folders import temporary_folder


def quiet(*_):
    pass


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Iterator[Run]:
    with temporary_folder(tmp_path_factory, "runs") as folder:
        run = Run(folder / "bandit")
        train(Bandit(settings()), run, quiet, quiet)
        yield run


@pytest.fixture
def stopped(finished, tmp_path) -> Run:
    """A run whose training ended after an iteration of RL."""
    run = Run(tmp_path / "stopped")
    shutil.copytree(finished.folder, run.folder, ignore=shutil.ignore_patterns("rl"))

    def stop(*_) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(Bandit(settings()), run, stop, quiet)
    return run


def test_the_trained_policy_solves_the_task_and_its_card_says_so(finished):
    task = Bandit(settings())
    comparison = compare(task, finished)
    save_comparison(task, finished, comparison)
    assert comparison.reward("rl").value >= 0.6  # chance is -1/3
    card = (finished.folder / "README.md").read_text()
    assert str(comparison.reward("rl")) in card
    assert (finished.folder / "rewards.png").stat().st_size > 1000
    assert json.loads((finished.folder / "evaluation.json").read_text())["bandit.rl"]["value"] == pytest.approx(
        comparison.reward("rl").value
    )
    kept = saved_comparison(task, finished)
    assert kept.gain("linear") == comparison.gain("linear")
    assert kept.outcomes("rl") == comparison.outcomes("rl")
    assert Comparison.saved(finished.episodes, "of other settings") is None


def test_a_tasks_own_measures_stand_beside_the_rewards_of_every_policy(finished):
    class Counted(Bandit):
        def measures(self, split, act):
            texts, rewards = self.all_rewards(split)
            return {"accuracy": float((rewards[np.arange(len(rewards)), act(texts)[:, 0]] > 0).mean())}

    task = Counted(settings())
    comparison = compare(task, finished)
    save_comparison(task, finished, comparison)
    kept = saved_comparison(task, finished)
    for name, played in comparison.played.items():
        assert kept.measures[name]["accuracy"] == pytest.approx((played.returns.mean() + 1) / 2)
    card = (finished.folder / "README.md").read_text()
    assert f"| reinforcement learning | {kept.measures['rl']['accuracy']:.3f} |" in card
    assert comparison.figures()["bandit.rl"]["measures"] == kept.measures["rl"]
    assert [column.header for column in list(comparison_tables(kept, task.title))[-1].columns] == ["policy", "accuracy"]


def test_equal_seeds_give_equal_runs_and_other_seeds_do_not(finished, tmp_path):
    again, other = Run(tmp_path / "again"), Run(tmp_path / "other")
    train(Bandit(settings()), again, quiet, quiet)
    train(Bandit(settings("seed=5")), other, quiet, quiet)
    assert _curve(again) == _curve(finished)
    assert _curve(other) != _curve(finished)


def test_a_run_killed_again_and_again_ends_on_the_same_curve(finished, tmp_path):
    script = textwrap.dedent(
        f"""
        import torch; torch.set_num_threads({torch.get_num_threads()})
        from pathlib import Path
        from core.training.run import Run
        from core.training.train import train
        from tests.core.bandit import Bandit, settings
        train(Bandit(settings()), Run(Path({str(tmp_path / "run")!r})), print, print)
        """
    )
    run, kills = Run(tmp_path / "run"), 0
    for iterations in (2, 5, 7, 9):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL, cwd=Path.cwd())
        while process.poll() is None and _iterations(run) < iterations:
            time.sleep(0.02)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
    assert kills >= 2
    # Another process batches frozen vectors otherwise, so the last bits of the loss may differ.
    for resumed, undisturbed in zip(_curve(run), _curve(finished), strict=True):
        assert np.allclose(resumed, undisturbed, atol=1e-5)


def test_a_finished_run_is_not_trained_again_but_other_settings_are(finished):
    begun = []
    train(Bandit(settings()), finished, quiet, begun.append)
    assert begun == []
    assert fingerprint(Bandit(settings("seed=9"))) != fingerprint(Bandit(settings()))


def test_a_full_disk_stops_training_with_advice_and_keeps_the_last_checkpoint(stopped):
    checkpoint = stopped.folder / "rl" / "checkpoint"
    before = (checkpoint / "tensors.safetensors").read_bytes()
    # A limit on the size of files is how a process meets a full disk without filling one.
    script = textwrap.dedent(
        f"""
        import resource, signal
        from pathlib import Path
        from core.util.errors import SteerError
        from core.rl.checkpoint import Progress, write_checkpoint
        import torch
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        try:
            write_checkpoint(Path({str(checkpoint)!r}), Progress("x"),
                             {{"policy": {{"w": torch.zeros(1_000_000)}}}})
        except SteerError as error:
            print(error)
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "free some disk space" in done.stdout
    assert (checkpoint / "tensors.safetensors").read_bytes() == before
    assert not list(checkpoint.parent.glob(".checkpoint*"))


def test_a_checkpoint_cut_short_is_named_and_not_guessed_at(stopped):
    tensors = stopped.folder / "rl" / "checkpoint" / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:5000])
    with pytest.raises(SteerError, match=r"rl/checkpoint is damaged .* delete that folder"):
        train(Bandit(settings()), stopped, quiet, quiet)


def test_a_checkpoint_of_other_settings_is_refused(stopped):
    (stopped.folder / "fingerprint").unlink()
    with pytest.raises(SteerError, match="rl/checkpoint was made with other settings or data"):
        train(Bandit(settings("rl.learning_rate=0.5")), stopped, quiet, quiet)


def test_a_finished_run_is_not_overwritten_with_other_settings(finished):
    before = _curve(finished)
    with pytest.raises(SteerError, match="bandit was trained with other settings or data; train with --fresh"):
        train(Bandit(settings("linear.learning_rate=0.5")), finished, quiet, quiet)
    assert _curve(finished) == before


def test_what_only_training_needs_is_gone_when_a_stage_has_ended(finished):
    kept = {str(file.relative_to(finished.folder)) for file in finished.folder.rglob("*.safetensors")}
    published = {"rl/model/policy.safetensors", "rl/model/encoder/model.safetensors"}
    assert kept == {"linear/model/policy.safetensors", "supervised/model/policy.safetensors", *published}


def test_a_run_of_other_settings_is_kept_beside_the_new_one(finished, tmp_path):
    run = Run(tmp_path / "bandit")
    shutil.copytree(finished.folder, run.folder)
    assert run.belongs_to(fingerprint(Bandit(settings())))
    assert not run.belongs_to(fingerprint(Bandit(settings("seed=3"))))
    assert run.move_aside().folder == tmp_path / "bandit.before-1"
    assert not run.folder.exists()
    assert Run(tmp_path / "bandit.before-1").history("rl") == finished.history("rl")


def test_a_policy_file_of_another_model_is_refused(finished):
    policy = Bandit(settings()).policy(frozen=True)
    with pytest.raises(SteerError, match="belongs to another model"):
        policy.load(finished.model("rl"))


def test_a_reward_that_is_not_a_number_names_its_episode(tmp_path):
    class Broken(Bandit):
        def all_rewards(self, split):
            observations, rewards = super().all_rewards(split)
            return observations, np.where(rewards > 0, np.nan, rewards).astype(np.float32)

    with pytest.raises(SteerError, match=r"reward of episode .* is not a finite number"):
        train(Broken(settings()), Run(tmp_path / "run"), quiet, quiet)


def test_a_batch_in_parts_gives_the_step_of_the_whole(tmp_path):
    whole, parts = Run(tmp_path / "whole"), Run(tmp_path / "parts")
    train(Bandit(settings("supervised.batch_size=8")), whole, quiet, quiet)
    train(Bandit(settings("supervised.batch_size=8", "supervised.micro_batch_size=3")), parts, quiet, quiet)
    for (loss, reward), (other_loss, other_reward) in zip(_curve(whole)[1], _curve(parts)[1], strict=True):
        assert loss == pytest.approx(other_loss, abs=1e-4)
        assert reward == pytest.approx(other_reward)


@pytest.mark.parametrize("keeps_best", [True, False])
def test_a_stage_leaves_its_best_weights_or_those_of_its_end(keeps_best):
    task = Bandit(settings(f"supervised.load_best_model_at_end={keeps_best}"))
    torch.manual_seed(0)
    begun, demonstrations = task.policy(), task.demonstrations("train")
    falling = iter(range(0, -10, -1))  # as if the first weights were the best
    trained = trained_copy(
        begun,
        Supervised(demonstrations, task.settings.supervised),
        task.settings.supervised,
        validate=lambda _: next(falling),
        seed=0,
    )
    begun.eval()
    before, after = (policy.logits(demonstrations.observations) for policy in (begun, trained))
    assert torch.allclose(before, after, atol=1e-4) == keeps_best


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "exponential"])
def test_every_schedule_warms_up_and_then_does_what_its_name_says(schedule):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    rates = learning_rate_schedule(optimizer, StageSettings(lr_scheduler_type=schedule, warmup_ratio=0.1), 100)
    seen = []
    for _ in range(101):
        seen.append(rates.get_last_lr()[0])
        optimizer.step()
        rates.step()
    assert seen[0] == 0
    assert seen[10] == 1
    middle, last = {"constant": (1, 1), "linear": (0.5, 0), "cosine": (0.5, 0), "exponential": (0.1, 0.01)}[schedule]
    assert seen[55] == pytest.approx(middle, abs=0.01)
    assert seen[100] == pytest.approx(last, abs=0.001)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "exponential"])
@pytest.mark.parametrize(("steps", "warmup"), [(1, 0.0), (1, 1.0), (2, 1.0), (3, 0.1), (10, 0.0), (10, 1.0)])
def test_the_shortest_stages_and_warm_ups_learn_at_a_rate_too(schedule, steps, warmup):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    rates = learning_rate_schedule(optimizer, StageSettings(lr_scheduler_type=schedule, warmup_ratio=warmup), steps)
    seen = []
    for _ in range(steps):
        seen.append(rates.get_last_lr()[0])
        optimizer.step()
        rates.step()
    assert all(0 <= rate <= 1 for rate in seen)
    assert seen[0] == (0 if warmup == 1 and steps > 1 else 1)
    assert max(seen) > 0


def test_the_weight_of_the_kl_penalty_follows_its_target_and_survives_a_kill():
    policy, steered = Bandit(settings()).policy(), AllActionSettings(kl_coef=0.1, kl_coef_target=0.05)
    adaptive = exact_gradient(steered)
    adaptive.end_iteration(policy, {"kl": 0.5})
    assert adaptive.kl_coef == pytest.approx(0.12)
    adaptive.end_iteration(policy, {"kl": 0.0})
    assert adaptive.kl_coef == pytest.approx(0.096)
    adaptive.end_iteration(policy, {"kl": 0.055})
    restored = exact_gradient(steered)
    restored.load_state(adaptive.state())
    assert restored.kl_coef == pytest.approx(0.096 * 1.1)
    fixed = exact_gradient(AllActionSettings(kl_coef=0.1))
    fixed.end_iteration(policy, {"kl": 0.5})
    assert fixed.kl_coef == 0.1


def test_an_empty_text_in_a_batch_is_a_state_like_any_other():
    policy = Bandit(settings()).policy()
    logits = policy.logits({"text": ("", "the soup needs salt")})
    assert torch.isfinite(logits).all()


def test_a_logged_decision_without_a_possible_propensity_is_named():
    log = {"observations": {"text": ("a", "b")}, "actions": torch.zeros(2, 1, dtype=torch.long)}
    with pytest.raises(SteerError, match=r"logged decision 1 .* propensities \[1\.5"):
        LoggedDecisions(**log, log_propensities=torch.tensor([[0.5], [1.5]]).log(), rewards=torch.zeros(2))
    with pytest.raises(SteerError, match=r"logged decision 0 has reward nan"):
        LoggedDecisions(**log, log_propensities=torch.zeros(2, 1), rewards=torch.tensor([float("nan"), 1.0]))


def test_two_logs_joined_are_one_log():
    first, later = (
        LoggedDecisions({"text": (text,)}, torch.tensor([[action]]), torch.zeros(1, 1), torch.tensor([float(action)]))
        for text, action in (("a", 0), ("b", 1))
    )
    both = first + later
    assert both.observations["text"] == ("a", "b")
    assert both.actions.tolist() == [[0], [1]]
    assert both.rows(np.array([1])).rewards.tolist() == [1.0]


def test_an_untrained_stage_says_what_to_run(tmp_path):
    with pytest.raises(SteerError, match="steer train bandit"):
        trained_policy(Bandit(settings()), Run(tmp_path))


def test_a_gain_is_claimed_only_when_its_interval_supports_it(finished):
    comparison = compare(Bandit(settings()), finished)
    assert verdict(comparison.gain("supervised")) in {"no gain", "better"}
    played = comparison.played
    played["supervised"].returns = played["rl"].returns.copy()
    assert verdict(comparison.gain("supervised")) == "no gain"


def exact_gradient(chosen: AllActionSettings) -> AllAction:
    observations, values = Bandit(settings()).action_values()
    return AllAction(observations, values, chosen)


def _curve(run: Run) -> list[list[tuple[float, float]]]:
    """Losses and validation rewards; speeds differ from run to run."""
    return [
        [(row["loss"], row["validation_reward"]) for row in run.history(stage)]
        for stage in ("linear", "supervised", "rl")
    ]


def _iterations(run: Run) -> int:
    done = sum(len(json.loads(file.read_text())["history"]) for file in run.folder.glob("*/history.json"))
    try:
        return done + sum(
            json.loads(file.read_text())["iteration"] for file in run.folder.glob("*/checkpoint/progress.json")
        )
    except (OSError, ValueError):  # being replaced just now
        return done
