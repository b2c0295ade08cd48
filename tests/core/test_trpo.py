"""TRPO's curvature is the second derivative of the KL divergence, from one graph for all steps."""

import numpy as np
import pytest
import torch
from torch import nn

from core.models.actor_critic import ActorCritic, CandidateHead, ChoiceHead
from core.models.features import FeatureEncoder
from core.models.policy import Policy
from core.rl.rollout import Rollout
from core.rl.trpo import TRPO, TRPOSettings
from testing.gradients import NO_ENV
from tests.core.test_algorithms import small_writer

ROWS = 6


def rows_of(policy: Policy, observations) -> Rollout:
    acted = policy.sample(observations, torch.Generator().manual_seed(0))
    zeros = torch.zeros(acted.actions.shape)
    return Rollout(
        observations=observations, actions=acted.actions, mask=acted.mask, log_probs=acted.log_probs,
        values=zeros, rewards=zeros, dones=torch.ones(ROWS, dtype=torch.bool), final_values=torch.zeros(ROWS),
        last_values=torch.zeros(1), episode_returns=np.zeros(0), advantages=torch.randn(zeros.shape), returns=zeros,
    )  # fmt: skip


def choosing(picks: int = 1) -> tuple[Policy, dict]:
    policy = ActorCritic(FeatureEncoder(3, (8,)), ChoiceHead(8, (4,)), column="features", picks=picks)
    return policy, {"features": np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)}


def from_candidates() -> tuple[Policy, dict]:
    """Some rows have fewer candidates than others, whose scores are then minus infinity."""
    chance = np.random.default_rng(0)
    head = CandidateHead(8, nn.Embedding(5, 8), features=2, fixed=1, seen=1)
    head.scale.data.fill_(1.0)
    candidates = np.array([[0, 1, 2], [3, -1, -1], [4, 2, -1], [1, 0, 3], [2, -1, -1], [0, 3, 4]])
    states = {"state": chance.normal(size=(ROWS, 3)).astype(np.float32), "candidates": candidates}
    return ActorCritic(FeatureEncoder(3, (8,)), head, column="state"), {
        **states,
        "features": chance.normal(size=(ROWS, 3, 2)).astype(np.float32),
    }


def writing() -> tuple[Policy, dict]:
    prompts = tuple(np.array(prompt) for prompt in ([3, 4], [7], [8, 9, 2], [5], [1, 1, 1, 1], [6, 2]))
    writer = small_writer()
    writer.allow_second_derivatives()
    return writer, {"tokens": prompts}


@pytest.mark.parametrize(
    "make",
    [choosing, lambda: choosing(picks=2), from_candidates, writing],
    ids=["choice", "list", "candidates", "text"],
)
def test_the_fisher_product_is_the_second_derivative_of_the_kl_divergence(make):
    torch.manual_seed(0)
    policy, observations = make()
    policy.eval()
    rows, parameters = rows_of(policy, observations), policy.actor_parameters()
    algorithm = TRPO(NO_ENV, TRPOSettings(cg_damping=0.25))
    product = algorithm._fisher_product(policy, rows, parameters)
    direction = torch.randn(sum(p.numel() for p in parameters))
    # The definition: differentiate the divergence from what the policy is now twice.
    kl = policy(observations, rows.actions).distribution.kl(policy.log_probs_for_kl(observations, rows.actions)).mean()
    slope = torch.autograd.grad(kl, parameters, create_graph=True, allow_unused=True)
    used = [(p, s) for p, s in zip(parameters, slope, strict=True) if s is not None]
    along = dict(zip(map(id, parameters), direction.split([p.numel() for p in parameters]), strict=True))
    moved = sum((s.reshape(-1) * along[id(p)]).sum() for p, s in used)
    curved = torch.autograd.grad(moved, [p for p, _ in used], allow_unused=True)
    expected = {id(p): c for (p, _), c in zip(used, curved, strict=True) if c is not None}
    whole = torch.cat([expected.get(id(p), torch.zeros_like(p)).reshape(-1) for p in parameters])
    assert whole.norm() > 0
    torch.testing.assert_close(product(direction), whole + 0.25 * direction, rtol=1e-3, atol=1e-4)


def test_a_step_of_conjugate_gradient_passes_no_state_through_the_network():
    passed = []
    for steps in (1, 12):
        torch.manual_seed(0)
        policy, observations = choosing()
        rows, calls = rows_of(policy, observations), []
        policy.encoder.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        settings = TRPOSettings(cg_max_steps=steps, target_kl=0.01, kl_coef=0, ent_coef=0)
        searched = TRPO(NO_ENV, settings).natural_step(policy, rows)["search_steps"]
        passed.append(len(calls) - searched)
    assert passed[0] == passed[1]


def test_rows_of_unlike_lengths_are_one_step():
    """However the rows are divided, the step is that of all of them at once."""
    policy, observations = writing()
    rows = rows_of(policy, observations)
    settings = TRPOSettings(kl_coef=0, ent_coef=0)
    whole = TRPO(NO_ENV, settings).natural_step(policy, rows)
    first = torch.nn.utils.parameters_to_vector(policy.actor_parameters()).detach().clone()
    again, _ = writing()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.rl.trpo._PART_TOKENS", 1)
        parts = TRPO(NO_ENV, settings).natural_step(again, rows)
    assert parts == pytest.approx(whole, rel=1e-3)
    second = torch.nn.utils.parameters_to_vector(again.actor_parameters()).detach()
    torch.testing.assert_close(second, first, rtol=0, atol=1e-4)
