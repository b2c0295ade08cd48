"""The algorithms' gradients equal the closed form on a three-action bandit, in float64; TRL's losses equal ours."""

import numpy as np
import pytest
import torch

from benchmarks.parity.gradients import NO_ENV, START, ThreeLogits, relative_errors, rollout
from core.config import RLSettings
from core.rl.ppo import PPO
from core.rl.trpo import conjugate_gradient


@pytest.fixture(scope="module")
def errors():
    return relative_errors()


@pytest.mark.parametrize("name", ["all_action", "ppo", "a2c", "trpo", "reinforce", "grpo", "off_policy"])
def test_the_gradient_is_the_closed_form(errors, name):
    assert errors[name] < 1e-4


def test_the_losses_on_texts_are_trls():
    pytest.importorskip("trl")
    from benchmarks.parity.trl_losses import loss_differences

    differences = loss_differences()
    assert differences["grpo"] < 1e-5
    assert differences["rloo"] < 1e-5


def test_ppo_stops_pushing_an_action_beyond_the_clip_range():
    policy, batch = ThreeLogits(), rollout(torch.arange(3), torch.ones(3, dtype=torch.float64))
    batch.log_probs = (START.softmax(-1) / 1.5).log()[:, None]  # every ratio is 1.5
    loss, _ = PPO(NO_ENV, RLSettings(entropy=0, value_weight=0, clip_range=0.2)).loss(policy, batch)
    loss.backward()
    assert policy.theta.grad.abs().max() == 0


def test_conjugate_gradient_solves_a_positive_definite_system():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    matrix = root @ root.T + torch.eye(6, dtype=torch.float64)
    target = torch.randn(6, generator=generator, dtype=torch.float64)
    solution = conjugate_gradient(lambda vector: matrix @ vector, target, 20)
    assert np.allclose(matrix @ solution, target, atol=1e-6)
