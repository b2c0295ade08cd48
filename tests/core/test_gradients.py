"""The algorithms' gradients equal the closed form on a three-action bandit, in float64."""

import numpy as np
import torch

from core.config import RLSettings
from core.models.distributions import Categorical
from core.models.policy import PolicyOutput
from core.rl.all_action import AllAction, RewardedStates
from core.rl.ppo import PPO
from core.rl.rollout import Rollout

REWARDS = torch.tensor([1.0, -0.5, 0.25], dtype=torch.float64)
START = torch.tensor([0.2, -0.1, 0.4], dtype=torch.float64)


class ThreeActions(torch.nn.Module):
    """A policy that is nothing but three logits."""

    def __init__(self):
        super().__init__()
        self.theta = torch.nn.Parameter(START.clone())

    def forward(self, observations):
        rows = len(observations["text"])
        distribution = Categorical.__new__(Categorical)
        distribution.log_probs = self.theta.log_softmax(-1).expand(rows, -1)
        return PolicyOutput(distribution, torch.zeros(rows, 1, dtype=torch.float64))


def closed_form() -> torch.Tensor:
    """d/d theta of sum_a pi(a) r(a) = pi * (r - E[r])."""
    probs = START.softmax(-1)
    return probs * (REWARDS - (probs * REWARDS).sum())


def test_all_action_gradient_is_the_gradient_of_the_expected_reward():
    policy = ThreeActions()
    algorithm = AllAction({"text": ("state",)}, lambda _: np.zeros((1, 3)), RLSettings(entropy=0))
    loss, _ = algorithm.loss(policy, RewardedStates({"text": ("state",)}, REWARDS.numpy()[None]))
    (-loss).backward()
    assert torch.allclose(policy.theta.grad, closed_form(), rtol=1e-10)


def test_ppo_gradient_over_all_actions_in_their_proportion_is_the_same():
    # With each action weighted by its probability and the reward as advantage, the first PPO step is that gradient.
    policy = ThreeActions()
    probs = START.softmax(-1)
    observations = {"text": ("s",) * 3}
    batch = Rollout(
        observations,
        torch.arange(3)[:, None],
        probs.log()[:, None],
        (REWARDS * probs * 3)[:, None],
        torch.zeros(3, 1, dtype=torch.float64),
        None,
        np.zeros(0),
    )
    loss, _ = PPO(None, RLSettings(entropy=0, value_weight=0)).loss(policy, batch)
    (-loss).backward()
    assert torch.allclose(policy.theta.grad, closed_form(), rtol=1e-10)


def test_ppo_stops_pushing_an_action_beyond_the_clip_range():
    policy = ThreeActions()
    old = (START.softmax(-1) / 1.5).log()[:, None]  # every ratio is 1.5
    advantage = torch.ones(3, 1, dtype=torch.float64)
    batch = Rollout({"text": ("s",) * 3}, torch.arange(3)[:, None], old, advantage, 0 * advantage, None, np.zeros(0))
    loss, _ = PPO(None, RLSettings(entropy=0, value_weight=0, clip_range=0.2)).loss(policy, batch)
    loss.backward()
    assert policy.theta.grad.abs().max() == 0
