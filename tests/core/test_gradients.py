"""The algorithms' gradients equal the closed form on a three-action bandit, in float64; TRL's losses equal ours."""

import numpy as np
import pytest
import torch

from core.rl.off_policy import LoggedDecisions, OffPolicy, OffPolicySettings
from core.rl.ppo import PPO, PPOSettings
from core.rl.trpo import conjugate_gradient
from testing.gradients import NO_ENV, REWARDS, START, ThreeLogits, relative_errors, rollout, states


@pytest.fixture(scope="module")
def errors():
    return relative_errors()


@pytest.mark.parametrize("name", ["all_action", "ppo", "a2c", "trpo", "reinforce", "grpo", "off_policy"])
def test_the_gradient_is_the_closed_form(errors, name):
    assert errors[name] < 1e-4


def test_the_losses_on_texts_are_trls():
    pytest.importorskip("trl")
    from testing.trl_losses import loss_differences

    differences = loss_differences()
    assert differences["grpo"] < 1e-5
    assert differences["rloo"] < 1e-5


def test_ppo_stops_pushing_an_action_beyond_the_clip_range():
    policy, batch = ThreeLogits(), rollout(torch.arange(3), torch.ones(3, dtype=torch.float64))
    batch.log_probs = (START.softmax(-1) / 1.5).log()[:, None]  # every ratio is 1.5
    loss, _ = PPO(NO_ENV, PPOSettings(ent_coef=0, vf_coef=0, clip_range=0.2)).loss(policy, batch)
    loss.backward()
    assert policy.theta.grad.abs().max() == 0


def test_tapered_off_policy_imitates_what_worked_and_pushes_failures_only_as_far_as_it_would_do_them():
    propensities = torch.tensor([0.25, 0.5, 0.25], dtype=torch.float64)
    log = LoggedDecisions(
        states(4), torch.tensor([[0], [1], [1], [2]]), propensities[[0, 1, 1, 2], None].log(), REWARDS[[0, 1, 1, 2]]
    )
    policy = ThreeLogits()
    tapered = OffPolicySettings(ent_coef=0, kl_coef=0, is_weight_min=1, is_weight_max=1, baseline=0)
    loss, _ = OffPolicy(log, tapered).loss(policy, log)
    loss.backward()
    probs = START.softmax(-1)
    weights = torch.where(REWARDS > 0, 1.0, (probs / propensities).clamp(max=1))
    assert weights[1] < 1
    pushes = propensities * weights * REWARDS
    assert torch.allclose(-policy.theta.grad, pushes - probs * pushes.sum(), atol=1e-12)


def test_conjugate_gradient_solves_a_positive_definite_system():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    matrix = root @ root.T + torch.eye(6, dtype=torch.float64)
    target = torch.randn(6, generator=generator, dtype=torch.float64)
    solution = conjugate_gradient(lambda vector: matrix @ vector, target, 20)
    assert np.allclose(matrix @ solution, target, atol=1e-6)
