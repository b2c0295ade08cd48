"""Gymnasium's own environments as ours."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from core.envs.gymnasium_env import GymnasiumEnv
from core.envs.play import play
from core.models.actor_critic import ActorCritic, ChoiceHead
from core.models.features import FeatureEncoder
from core.rl.learner import Learner
from core.rl.ppo import PPO, PPOSettings
from core.util.errors import SteerError


@pytest.fixture
def poles():
    return GymnasiumEnv("CartPole-v1", 8)


def test_several_tries_of_one_state_are_refused(poles):
    with pytest.raises(SteerError, match="take ppo, a2c or trpo"):
        poles.reset(seed=3, options={"repeat": 2})


def test_equal_seeds_begin_alike(poles):
    first, _ = poles.reset(seed=3)
    again, _ = poles.reset(seed=3)
    np.testing.assert_array_equal(first["features"], again["features"])
    assert first["features"].shape == (8, 4)


def test_the_last_state_of_an_episode_is_kept_beside_the_first_of_the_next(poles):
    poles.reset(seed=0)
    for _ in range(200):
        states, _, ended, _, infos = poles.step(np.ones(8, dtype=np.int64))
        if ended.any():
            slot = int(np.flatnonzero(ended)[0])
            fallen = infos["final_observations"]["features"][slot]
            assert abs(fallen[2]) > 0.2  # 12 degrees: the pole has fallen
            assert abs(states["features"][slot][2]) <= 0.05  # a new one stands
            return
    pytest.fail("pushing to one side alone must end an episode")


def test_returns_of_episodes_are_whole_across_rollouts(poles):
    torch.manual_seed(0)
    policy = ActorCritic(FeatureEncoder(4), ChoiceHead(64, (2,)), column="features")
    apart = PPO(poles, PPOSettings(n_envs=8, n_steps=8, kl_coef=0, fresh_episodes=False))
    rollouts = [apart.collect_rollouts(policy, seed) for seed in range(12)]
    rewards = np.concatenate([rollout.rewards.reshape(8, 8) for rollout in rollouts])
    dones = np.concatenate([rollout.dones.reshape(8, 8) for rollout in rollouts])
    lengths = [np.diff(np.flatnonzero(dones[:, slot]), prepend=-1) for slot in range(8)]
    assert rewards.sum() == 12 * 64  # one for each step
    told = np.concatenate([rollout.episode_returns for rollout in rollouts])
    assert sorted(told) == sorted(np.concatenate(lengths))


def test_ppo_learns_to_balance(poles, tmp_path):
    torch.manual_seed(0)
    policy = ActorCritic(
        FeatureEncoder(4), ChoiceHead(64, (2,)), column="features", critic_encoder=FeatureEncoder(poles.features)
    )
    settings = PPOSettings(
        batch_size=64, learning_rate=1e-3, head_learning_rate=1e-3, gamma=0.98, gae_lambda=0.8, kl_coef=0,
        target_kl=None, n_envs=8, n_steps=32, n_epochs=10, fresh_episodes=False, lr_scheduler_type="constant",
        warmup_ratio=0,
    )  # fmt: skip
    learner = Learner(
        policy, PPO(poles, settings), settings, validate=lambda _: 0.0, folder=tmp_path, fingerprint="", seed=0,
        report=lambda *_: None,
    )  # fmt: skip
    before = balanced(policy)
    for iteration in range(40):
        learner.iterate(iteration)
    assert balanced(policy) > max(100, 2 * before)


def balanced(policy: ActorCritic) -> float:
    """Mean steps until the pole falls, over 16 episodes."""
    return float(play(GymnasiumEnv("CartPole-v1", 16), policy.predict, seed=99).steps.mean())


class FromOne(gym.Env):
    """Shows a table, takes the actions 1 and 2, and is paid with the action; 2 pays what is no number on request."""

    observation_space = gym.spaces.Box(-1, 1, (2, 3), np.float32)
    action_space = gym.spaces.Discrete(2, start=1)

    def __init__(self, pay: float = 2.0) -> None:
        self.pay = pay

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros((2, 3), dtype=np.float32), {}

    def step(self, action):
        assert self.action_space.contains(action)
        return np.ones((2, 3), dtype=np.float32), 1.0 if action == 1 else self.pay, False, True, {}


gym.register("FromOne-v0", FromOne)
gym.register("Unpaid-v0", lambda: FromOne(float("nan")), disable_env_checker=True)


def test_tables_are_shown_as_vectors_and_actions_count_from_zero():
    env = GymnasiumEnv("FromOne-v0", 2)
    states, _ = env.reset(seed=0)
    assert states["features"].tolist() == [[0] * 6] * 2
    states, rewards, terminated, truncated, infos = env.step(np.array([[0], [1]]))
    assert rewards.tolist() == [1, 2]
    assert terminated.tolist() == [False, False]
    assert truncated.tolist() == [True, True]
    assert infos["final_observations"]["features"].tolist() == [[1] * 6] * 2
    with pytest.raises(SteerError, match=r"actions 1\.\.2 are outside the action space 0\.\.1"):
        env.step(np.array([[1], [2]]))


def test_a_number_of_a_few_is_shown_one_hot():
    env = GymnasiumEnv("FrozenLake-v1", 2)
    assert env.features == 16
    assert env.reset(seed=0)[0]["features"].tolist() == [[1.0] + [0.0] * 15] * 2


def test_a_reward_that_is_no_number_is_named():
    env = GymnasiumEnv("Unpaid-v0", 2)
    env.reset(seed=0)
    with pytest.raises(SteerError, match="the reward of episode 1 is not a finite number"):
        env.step(np.array([[0], [1]]))
