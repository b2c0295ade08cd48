"""Trust region policy optimisation (Schulman et al. 2015, appendix C).

The natural gradient F^-1 g by conjugate gradient, where F is the Hessian of the mean KL to the policy that acted, then
a line search that keeps that KL under `target_kl` and improves the surrogate (equation 14). Where both policies are
equal that Hessian is the Fisher matrix, which is a product of first derivatives (appendix C.1): its graph is
built once in an iteration, and each step of conjugate gradient goes once back and forth through it. Fused attention
kernels have no such graph: the policy runs attention step by step ("eager") and in float32, and only while TRPO trains
it. Left out: nothing. The critic learns by the learner's steps, on rows of the same rollout.

Every process computes the whole step, so a distributed run gains nothing in the actor's part and stays exact.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from core.envs.observations import bucketed
from core.models.devices import is_sharded
from core.models.distributions import row_mean
from core.models.policy import Policy, PolicyOutput
from core.rl.algorithm import Metrics, Step
from core.rl.on_policy import CriticAlgorithm
from core.rl.rollout import Rollout
from core.rl.settings import CriticSettings, MinibatchSettings
from core.util.errors import SteerError

_SEARCH_STEPS, _SHRINK = 10, 0.8
# Enough for a GPU, and little padding.
_PART_TOKENS = 2048


class TRPOSettings(CriticSettings, MinibatchSettings):
    """Settings of TRPO."""

    algorithm: Literal["trpo"] = "trpo"
    n_epochs: int = Field(default=2, ge=1, description="Passes of the critic over each rollout.")
    target_kl: float = Field(
        default=0.03,
        gt=0,
        description="Largest mean KL divergence in nats from the policy before a step.",
    )
    cg_max_steps: int = Field(default=10, ge=1, description="Largest number of conjugate-gradient steps.")
    cg_damping: float = Field(default=0.1, ge=0, description="Number added to the diagonal of the Fisher matrix.")
    sub_sampling_factor: int = Field(
        default=1, ge=1, description="Distance between the rows of a rollout that the actor's step is computed on."
    )
    fisher_rows: int = Field(default=128, ge=1, description="Number of rows on which the curvature is measured.")


class TRPO(CriticAlgorithm):
    """Collects a rollout in each iteration, takes one natural step of the actor and several of the critic."""

    settings: TRPOSettings

    def updates_per_iteration(self) -> int:
        return self.settings.n_epochs * self.batches_per_epoch(self.settings.batch_size)

    def updates(self, policy: Policy, seed: int, step: Step) -> Iterator[Metrics]:
        if is_sharded():
            raise SteerError("TRPO's second derivatives need whole layers: leave FSDP out, or take PPO")
        policy.allow_second_derivatives()
        rollout = self.collect_rollouts(policy, seed)
        actor_metrics = self.natural_step(policy, rollout.to(policy.device))
        for batch in rollout.minibatches(policy, self.settings.batch_size, seed, self.settings.n_epochs):
            yield actor_metrics | step(batch)

    def loss(self, policy: Policy, batch: Rollout) -> tuple[Tensor, Metrics]:
        """The critic's loss; the actor's part is `natural_step`."""
        values = policy(batch.observations, batch.actions).values
        loss = row_mean((values - batch.returns).square(), batch.mask).mean()
        return loss, {"value_loss": loss.item()}

    def natural_step(self, policy: Policy, batch: Rollout) -> Metrics:
        """Move the actor to the end of the line search, or leave it where no step improves the surrogate."""
        s = self.settings
        policy.eval()  # the objective must be the same function at every point of the search
        parameters = policy.actor_parameters()
        start = parameters_to_vector(parameters).detach().clone()
        batch = batch.rows(np.arange(0, len(batch), s.sub_sampling_factor))
        parts = _parts(policy, batch)
        # gradient of the surrogate
        gradient, before = torch.zeros_like(start), 0.0
        for part, share in parts:
            objective = share * self._objective(policy(part.observations, part.actions), part)
            gradient += _flat(objective, parameters)
            before += objective.item()
        # natural direction, and the longest step along it that the bound allows
        fisher = self._fisher_product(policy, batch, parameters)
        direction = conjugate_gradient(fisher, gradient, s.cg_max_steps)
        largest = torch.sqrt(2 * s.target_kl / direction.dot(fisher(direction)).clamp_min(1e-12))
        # line search
        with torch.no_grad():
            old = [policy.log_probs_for_kl(part.observations, part.actions).to(start.device) for part, _ in parts]
            for attempt in range(_SEARCH_STEPS):
                vector_to_parameters(start + _SHRINK**attempt * largest * direction, parameters)
                kl, gain = 0.0, -before
                for (part, share), then in zip(parts, old, strict=True):
                    output = policy(part.observations, part.actions)
                    kl += share * output.distribution.kl(then).mean().item()
                    gain += share * self._objective(output, part).item()
                if kl <= s.target_kl and gain > 0:
                    return {"kl_step": kl, "surrogate_gain": gain, "search_steps": attempt + 1.0}
            vector_to_parameters(start, parameters)
        return {"kl_step": 0.0, "surrogate_gain": 0.0, "search_steps": float(_SEARCH_STEPS)}

    def _objective(self, output: PolicyOutput, batch: Rollout) -> Tensor:
        ratio = (output.distribution.log_prob(batch.actions) - batch.log_probs).exp()
        surrogate = row_mean(ratio * batch.advantages, batch.mask).mean()
        loss, _ = self.regularize(-surrogate, output, batch.reference)
        return -loss

    def _fisher_product(
        self, policy: Policy, batch: Rollout, parameters: list[torch.nn.Parameter]
    ) -> Callable[[Tensor], Tensor]:
        """Function that multiplies a vector v by the Fisher matrix J'WJ / rows; J are derivatives of log-probabilities.

        Jv is the derivative by u of (J'u)'v, whose graph is kept, and needs no second derivative of the network.
        """
        # On a part of the rows: curvature needs far fewer than the gradient does.
        rows = np.linspace(0, len(batch) - 1, min(len(batch), self.settings.fisher_rows)).astype(int)
        graphs = []
        for part, share in _parts(policy, batch.rows(rows)):
            log_probs, weights = policy(part.observations, part.actions).distribution.fisher_factors()
            u = torch.zeros_like(log_probs, requires_grad=True)
            graphs.append((log_probs, share / len(part) * weights, u, _flat(log_probs, parameters, u)))

        def product(vector: Tensor) -> Tensor:
            curved = self.settings.cg_damping * vector
            for log_probs, weights, u, pulled in graphs:
                (pushed,) = torch.autograd.grad(pulled.dot(vector), u, retain_graph=True)
                curved += _flat(log_probs, parameters, weights * pushed, retain_graph=True)
            return curved

        return product


def conjugate_gradient(product: Callable[[Tensor], Tensor], target: Tensor, max_steps: int) -> Tensor:
    """Approximate solution x of A x = target for a positive definite A (Hestenes and Stiefel 1952).

    Args:
        product: Function that maps a vector to A times it.
        target: Right-hand side.
        max_steps: Largest number of steps; fewer are taken where the residual vanishes.
    """
    solution, residual = torch.zeros_like(target), target.clone()
    direction, size = residual.clone(), residual.dot(residual)
    for _ in range(max_steps):
        if size <= 1e-10 * target.dot(target):
            break
        curved = product(direction)
        length = size / direction.dot(curved)
        solution += length * direction
        residual -= length * curved
        next_size = residual.dot(residual)
        direction = residual + next_size / size * direction
        size = next_size
    return solution


def _parts(policy: Policy, batch: Rollout) -> list[tuple[Rollout, float]]:
    """Parts of rows of like length, which compute little padding, and their shares of the rows."""
    rows_by_part = bucketed(policy.lengths(batch.observations), _PART_TOKENS)
    return [(batch.rows(np.array(rows)), len(rows) / len(batch)) for rows in rows_by_part]


def _flat(
    value: Tensor, parameters: list[torch.nn.Parameter], along: Tensor | None = None, *, retain_graph: bool = False
) -> Tensor:
    """Derivative of a scalar, or of a tensor's product with `along`, as one vector over all parameters.

    With `along` of its own gradient, the result can be differentiated by it.
    """
    differentiable = along is not None and along.requires_grad
    gradients = torch.autograd.grad(
        value, parameters, along, create_graph=differentiable, retain_graph=retain_graph or None, allow_unused=True
    )
    filled = [torch.zeros_like(p) if g is None else g for g, p in zip(gradients, parameters, strict=True)]
    return torch.cat([gradient.reshape(-1) for gradient in filled])
