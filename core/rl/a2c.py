"""Advantage actor-critic (Mnih et al. 2016, the synchronous form of algorithm S3).

One gradient step on each rollout. Left out of the paper: asynchrony and RMSprop; the learner's AdamW takes the step.
"""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from torch import Tensor

from core.models.distributions import row_mean
from core.models.policy import Policy
from core.rl.algorithm import Metrics, Step
from core.rl.on_policy import CriticAlgorithm
from core.rl.rollout import Rollout
from core.rl.settings import CriticSettings


class A2CSettings(CriticSettings):
    """Settings of A2C."""

    algorithm: Literal["a2c"] = "a2c"
    vf_coef: float = Field(default=0.5, ge=0, description="Weight of the value loss.")


class A2C(CriticAlgorithm):
    """Collects a rollout in each iteration and takes one step on it."""

    settings: A2CSettings

    def updates_per_iteration(self) -> int:
        return 1

    def updates(self, policy: Policy, seed: int, step: Step) -> Iterator[Metrics]:
        yield step(self.collect_rollouts(policy, seed))

    def loss(self, policy: Policy, batch: Rollout) -> tuple[Tensor, Metrics]:
        output = policy(batch.observations, batch.actions)
        # policy gradient
        log_probs = output.distribution.log_prob(batch.actions)
        policy_loss = -row_mean(log_probs * batch.advantages, batch.mask).mean()
        # value loss
        value_loss = row_mean((output.values - batch.returns).square(), batch.mask).mean()
        # entropy bonus and KL penalty
        loss = policy_loss + self.settings.vf_coef * value_loss
        loss, metrics = self.regularize(loss, output, batch.reference)
        return loss, metrics | {"value_loss": value_loss.item()}
