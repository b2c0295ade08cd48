"""Advantage actor-critic (Mnih et al. 2016, the synchronous form of algorithm S3).

One gradient step on each rollout. Left out of the paper: asynchrony and RMSprop; the learner's AdamW takes the step.
"""

from collections.abc import Iterator

from torch import Tensor

from core.models.distributions import row_mean
from core.models.policy import Policy
from core.rl.advantages import generalized_advantages
from core.rl.algorithm import Metrics
from core.rl.experience import normalize_advantages
from core.rl.on_policy import OnPolicy
from core.rl.rollout import Rollout


class A2C(OnPolicy):
    """Collects a rollout in each iteration and takes one step on it."""

    def updates_per_iteration(self) -> int:
        return 1

    def batches(self, policy: Policy, seed: int) -> Iterator[Rollout]:
        s = self.settings
        rollout = self.experience.collect(policy, seed)
        rollout.advantages, rollout.returns = generalized_advantages(rollout, s.gamma, s.gae_lambda)
        if s.normalize_advantage:
            rollout.advantages = normalize_advantages(rollout.advantages, rollout.made)
        yield rollout

    def loss(self, policy: Policy, batch: Rollout) -> tuple[Tensor, Metrics]:
        output = policy(batch.observations, batch.actions)
        device = output.values.device
        made = batch.made.to(device)
        log_probs = output.distribution.log_prob(batch.actions.to(device))
        policy_loss = -row_mean(log_probs * batch.advantages.to(device), made).mean()
        value_loss = row_mean((output.values - batch.returns.to(device)).square(), made).mean()
        loss = policy_loss + self.settings.value_weight * value_loss
        loss, metrics = self.regularize(loss, output, batch.reference)
        return loss, metrics | {"value_loss": value_loss.item()}
