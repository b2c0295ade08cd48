"""Data sets of one row, splits without any, actions that are never right, and policies that cannot imitate."""

import numpy as np
import pytest
import torch

from core.envs.token_text import TokenTextEnv
from core.evaluation.cost_optimal import minimum_expected_cost
from core.rl.supervised import Demonstrations
from core.training.evaluate import compare, save_comparison
from core.training.run import Run
from core.training.task import Task
from core.training.train import train
from core.util.errors import SteerError
from tests.core.bandit import Bandit, settings
from tests.core.test_algorithms import END, small_writer

SHORT = ("linear.iterations=1", "supervised.iterations=1", "rl.iterations=1")
# Algorithms with their smallest data: one environment, or one group.
SMALLEST = {
    "ppo": ("rl.n_envs=1", "rl.n_steps=2"),
    "a2c": ("rl.n_envs=1", "rl.n_steps=1", "rl.normalize_advantage=false"),
    "trpo": ("rl.n_envs=1", "rl.n_steps=1", "rl.normalize_advantage=false"),
    "reinforce": ("rl.n_envs=2", "rl.n_steps=1", "rl.num_generations=2"),
    "grpo": ("rl.n_envs=2", "rl.n_steps=1", "rl.num_generations=2"),
    "all_action": (),
    "off_policy": ("rl.n_steps=1",),
}


def quiet(*_):
    pass


class OneRow(Bandit):
    """One sentence in each split."""

    rows: tuple[str, ...] = ("train", "validation", "test")

    def all_rewards(self, split):
        observations, rewards = super().all_rewards(split)
        kept = 1 if split in self.rows else 0
        return {"text": observations["text"][:kept]}, rewards[:kept]


@pytest.mark.parametrize("algorithm", SMALLEST)
def test_one_row_is_enough_to_train_and_to_be_measured(algorithm, tmp_path):
    task = OneRow(settings(*SHORT, f"rl.algorithm={algorithm}", "rl.lr_scheduler_type=cosine", *SMALLEST[algorithm]))
    run = Run(tmp_path / "run")
    train(task, run, quiet, quiet)
    comparison = compare(task, run)
    save_comparison(task, run, comparison)
    for stage in task.stages():
        assert all(np.isfinite(list(row.values())).all() for row in run.history(stage.name))
    assert comparison.reward("rl").value in {-1.0, 1.0}


@pytest.mark.parametrize(
    ("empty", "message"),
    [("train", "the training split has no rows"), ("validation", "needs at least one episode, and its data set is em")],
)
def test_a_split_without_rows_is_named(empty, message, tmp_path):
    class Lacking(OneRow):
        rows = tuple({"train", "validation", "test"} - {empty})

    with pytest.raises(SteerError, match=message):
        train(Lacking(settings(*SHORT)), Run(tmp_path / "run"), quiet, quiet)


def test_a_validation_reward_that_is_no_number_is_named(tmp_path):
    class Undefined(OneRow):
        def all_rewards(self, split):
            observations, rewards = super().all_rewards(split)
            return observations, rewards * 3e38 * 10 if split == "validation" else rewards

    with pytest.raises(SteerError, match="not a finite number"), np.errstate(all="ignore"):
        train(Undefined(settings(*SHORT)), Run(tmp_path / "run"), quiet, quiet)


def test_an_action_that_is_never_right_needs_no_row_of_rewards():
    """Two answers of probability p and q: an answer earns 1 or costs 2, a person is worth 0."""
    table = np.array([[1.0, -2.0, 0.0], [-2.0, 1.0, 0.0]])
    probs = torch.tensor([[0.7, 0.1, 0.2], [0.3, 0.3, 0.4], [0.1, 0.8, 0.1], [0.61, 0.29, 0.1]])
    # p - 2 q > 0, or a person: .7 - .2, .3 - .6, .8 - .2, .61 - .58
    assert minimum_expected_cost(probs.log(), table, 1.0)[:, 0].tolist() == [0, 2, 1, 0]
    padded = np.vstack([table, np.zeros((1, 3))])
    chance = torch.rand(200, 3, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    for temperature in (0.3, 1.0, 4.0):
        assert (
            minimum_expected_cost(chance, table, temperature) == minimum_expected_cost(chance, padded, temperature)
        ).all()
        by_state = np.broadcast_to(table, (200, 2, 3))
        assert (
            minimum_expected_cost(chance, by_state, temperature) == minimum_expected_cost(chance, table, temperature)
        ).all()


class Writing(Bandit):
    """A language model that is given labels, which it cannot imitate."""

    def policy(self, *, frozen=False):
        return small_writer()

    def environment(self, split, num_envs=None, *, shuffle=False):
        prompts = [np.array([3, 4]), np.array([7])]
        return TokenTextEnv(
            prompts, vocabulary=12, end=END, max_new_tokens=4, num_envs=num_envs or 2, shuffle=shuffle,
            reward=lambda rows, texts: np.array([len(text) for text in texts], dtype=np.float32),
        )  # fmt: skip

    def demonstrations(self, split):
        return Demonstrations({"tokens": (np.array([3, 4]), np.array([7]))}, np.eye(2, 12, dtype=np.float32))

    def all_rewards(self, split):
        return self.demonstrations(split).observations, np.ones((2, 12), dtype=np.float32)


class OnlyWriting(Writing):
    demonstrations = Task.demonstrations

    def all_rewards(self, split):
        return {"tokens": (np.array([3, 4]), np.array([7]))}, np.ones((2, 12), dtype=np.float32)


@pytest.mark.parametrize(("task", "algorithm"), [(Writing, "ppo"), (OnlyWriting, "all_action")])
def test_a_policy_that_writes_is_told_what_it_cannot_learn_from(task, algorithm, tmp_path):
    with pytest.raises(SteerError, match=r"a policy that writes .* leave demonstrations .* rl\.algorithm to ppo"):
        train(task(settings(*SHORT, f"rl.algorithm={algorithm}")), Run(tmp_path / "run"), quiet, quiet)
