"""Trust region policy optimisation (Schulman et al. 2015, appendix C).

The natural gradient F^-1 g by conjugate gradient, where F is the Hessian of the mean KL to the policy that acted, then
a line search that keeps that KL under `target_kl` and improves the surrogate (equation 14). The Hessian needs second
derivatives, which fused attention kernels lack: the policy runs attention step by step ("eager") and in float32, and
only while TRPO trains it. Left out: nothing. The critic learns by the learner's steps, on rows of the same rollout.

Every process computes the whole step, so a distributed run gains nothing in the actor's part and stays exact.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from core.models.distributions import row_mean
from core.models.policy import Policy, PolicyOutput
from core.models.sharding import is_shard
from core.rl.advantages import generalized_advantages
from core.rl.algorithm import Metrics, Step
from core.rl.experience import normalize_advantages
from core.rl.on_policy import OnPolicy
from core.rl.rollout import Rollout
from core.util.errors import SteerError

_SEARCH_STEPS, _SHRINK = 10, 0.8


class TRPO(OnPolicy):
    """Collects a rollout in each iteration, takes one natural step of the actor and several of the critic."""

    def updates_per_iteration(self) -> int:
        rows = self.settings.steps * self.experience.env.num_envs
        return self.settings.epochs * math.ceil(rows / self.settings.batch_size)

    def batches(self, policy: Policy, seed: int) -> Iterator[Rollout]:
        s = self.settings
        if any(is_shard(parameter) for parameter in policy.actor_parameters()):
            raise SteerError("TRPO's second derivatives need whole layers: leave FSDP out, or take PPO")
        policy.allow_second_derivatives()
        rollout = self.experience.collect(policy, seed)
        rollout.advantages, rollout.returns = generalized_advantages(rollout, s.gamma, s.gae_lambda)
        if s.normalize_advantage:
            rollout.advantages = normalize_advantages(rollout.advantages, rollout.made)
        yield rollout

    def loss(self, policy: Policy, batch: Rollout) -> tuple[Tensor, Metrics]:
        """The critic's loss; the actor's part is `natural_step`."""
        values = policy(batch.observations, batch.actions).values
        loss = row_mean((values - batch.returns.to(values.device)).square(), batch.made.to(values.device)).mean()
        return loss, {"value_loss": loss.item()}

    def update(self, policy: Policy, batch: Any, step: Step[Any]) -> Metrics:
        metrics = self.natural_step(policy, batch)
        generator = np.random.default_rng(len(batch))
        for _ in range(self.settings.epochs):
            for rows in self.experience.batches(batch, policy, generator):
                metrics |= super().update(policy, rows, step)
        return metrics

    def natural_step(self, policy: Policy, batch: Rollout) -> Metrics:
        """Move the actor to the end of the line search, or leave it where no step improves the surrogate."""
        policy.eval()  # the objective must be the same function at every point of the search
        parameters, target = policy.actor_parameters(), self.settings.target_kl or 0.01
        before = self._objective(policy(batch.observations, batch.actions), batch)
        gradient = _flat(torch.autograd.grad(before, parameters, allow_unused=True), parameters)
        fisher = self._fisher_product(policy, batch, parameters)
        direction = conjugate_gradient(fisher, gradient, self.settings.cg_steps)
        largest = torch.sqrt(2 * target / direction.dot(fisher(direction)).clamp_min(1e-12))
        start = parameters_to_vector(parameters).detach().clone()
        with torch.no_grad():
            old = policy.log_probs_for_kl(batch.observations, batch.actions)
            for attempt in range(_SEARCH_STEPS):
                vector_to_parameters(start + _SHRINK**attempt * largest * direction, parameters)
                output = policy(batch.observations, batch.actions)
                kl = output.distribution.kl(old.to(start.device)).mean()
                gain = self._objective(output, batch) - before
                if kl <= target and gain > 0:
                    return {"kl_step": kl.item(), "surrogate_gain": gain.item(), "search_steps": attempt + 1.0}
            vector_to_parameters(start, parameters)
        return {"kl_step": 0.0, "surrogate_gain": 0.0, "search_steps": float(_SEARCH_STEPS)}

    def _objective(self, output: PolicyOutput, batch: Rollout) -> Tensor:
        device = output.values.device
        ratio = (output.distribution.log_prob(batch.actions.to(device)) - batch.log_probs.to(device)).exp()
        surrogate = row_mean(ratio * batch.advantages.to(device), batch.made.to(device)).mean()
        loss, _ = self.regularize(-surrogate, output, batch.reference)
        return -loss

    def _fisher_product(
        self, policy: Policy, batch: Rollout, parameters: list[torch.nn.Parameter]
    ) -> Callable[[Tensor], Tensor]:
        # On a part of the rows: curvature needs far fewer than the gradient does.
        rows = np.linspace(0, len(batch) - 1, min(len(batch), self.settings.fisher_rows)).astype(int)
        part = batch.rows(rows)
        old = policy.log_probs_for_kl(part.observations, part.actions)
        kl = policy(part.observations, part.actions).distribution.kl(old.to(policy.device)).mean()
        slope = _flat(torch.autograd.grad(kl, parameters, create_graph=True, allow_unused=True), parameters)

        def product(vector: Tensor) -> Tensor:
            curved = torch.autograd.grad(slope.dot(vector), parameters, retain_graph=True, allow_unused=True)
            return _flat(curved, parameters) + self.settings.damping * vector

        return product


def conjugate_gradient(product: Callable[[Tensor], Tensor], target: Tensor, steps: int) -> Tensor:
    """Approximate solution x of A x = target for a positive definite A (Hestenes and Stiefel 1952).

    Args:
        product: maps a vector to A times it.
        target: right-hand side.
        steps: at most so many; fewer where the residual vanishes.
    """
    solution, residual = torch.zeros_like(target), target.clone()
    direction, size = residual.clone(), residual.dot(residual)
    for _ in range(steps):
        curved = product(direction)
        length = size / direction.dot(curved)
        solution += length * direction
        residual -= length * curved
        following = residual.dot(residual)
        if following < 1e-10 * target.dot(target):
            break
        direction = residual + following / size * direction
        size = following
    return solution


def _flat(gradients: Any, parameters: list[torch.nn.Parameter]) -> Tensor:
    filled = [torch.zeros_like(p) if g is None else g for g, p in zip(gradients, parameters, strict=True)]
    return torch.cat([gradient.reshape(-1) for gradient in filled])
