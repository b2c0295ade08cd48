"""Gymnasium's own environments as ours."""

import numpy as np
import pytest
import torch

from core.envs.gymnasium_env import GymnasiumEnv
from core.models.actor_critic import ActorCritic
from core.models.features import FeatureEncoder
from core.models.heads import ChoiceHead
from core.rl.experience import Experience
from core.rl.learner import Learner
from core.rl.ppo import PPO
from core.rl.settings import RLSettings


@pytest.fixture
def poles():
    return GymnasiumEnv("CartPole-v1", 8)


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
    apart = Experience(poles, RLSettings(environments=8, steps=8, kl=0, fresh_episodes=False), None)
    rollouts = [apart.collect(policy, seed) for seed in range(12)]
    rewards = np.concatenate([rollout.rewards.reshape(8, 8) for rollout in rollouts])
    ends = np.concatenate([rollout.ends.reshape(8, 8) for rollout in rollouts])
    lengths = [np.diff(np.flatnonzero(ends[:, slot]), prepend=-1) for slot in range(8)]
    assert rewards.sum() == 12 * 64  # one for each step
    told = np.concatenate([rollout.episode_returns for rollout in rollouts])
    assert sorted(told) == sorted(np.concatenate(lengths))


def test_ppo_learns_to_balance(poles, tmp_path):
    torch.manual_seed(0)
    policy = ActorCritic(
        FeatureEncoder(4), ChoiceHead(64, (2,)), column="features", critic_encoder=FeatureEncoder(poles.features)
    )
    settings = RLSettings(
        algorithm="ppo", batch_size=64, learning_rate=1e-3, head_learning_rate=1e-3, gamma=0.98, gae_lambda=0.8, kl=0,
        target_kl=None, environments=8, steps=32, epochs=10, fresh_episodes=False, schedule="constant", warmup=0,
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
    env = GymnasiumEnv("CartPole-v1", 16)
    states, _ = env.reset(seed=99)
    steps, over = np.zeros(16), np.zeros(16, dtype=bool)
    while not over.all():
        states, _, ended, cut, _ = env.step(policy.decide(states))
        steps += ~over
        over |= ended | cut
    return float(steps.mean())
