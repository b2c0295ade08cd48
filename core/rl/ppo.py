"""Proximal policy optimisation (Schulman et al. 2017), clipped, with a value loss and generalized advantages.

Left out of the paper: nothing. Added: a KL penalty to the supervised policy, which keeps a small pretrained network
from unlearning what it was taught, and an end to the updates of an iteration once the policy has moved by `target_kl`
(as in Stable-Baselines3).
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from core.models.distributions import row_mean
from core.models.policy import Policy
from core.rl.advantages import generalized_advantages
from core.rl.algorithm import Metrics, Step
from core.rl.experience import normalize_advantages
from core.rl.on_policy import OnPolicy
from core.rl.rollout import Rollout


class PPO(OnPolicy):
    """Collects a rollout in each iteration and passes over it several times."""

    _moved = 0.0  # estimate of the KL between the policy that acted and the present one

    def updates_per_iteration(self) -> int:
        rows = self.settings.steps * self.experience.env.num_envs
        return self.settings.epochs * math.ceil(rows / self.settings.batch_size)

    def batches(self, policy: Policy, seed: int) -> Iterator[Rollout]:
        s = self.settings
        rollout = self.experience.collect(policy, seed)
        rollout.advantages, rollout.returns = generalized_advantages(rollout, s.gamma, s.gae_lambda)
        if s.normalize_advantage:
            rollout.advantages = normalize_advantages(rollout.advantages, rollout.made)
        generator = np.random.default_rng(seed)
        self._moved = 0.0
        for _ in range(s.epochs):
            for batch in self.experience.batches(rollout, policy, generator):
                if s.target_kl is not None and self._moved > 1.5 * s.target_kl:
                    return
                yield batch

    def loss(self, policy: Policy, batch: Rollout) -> tuple[Tensor, Metrics]:
        s = self.settings
        output = policy(batch.observations, batch.actions)
        device = output.values.device
        made, advantages = batch.made.to(device), batch.advantages.to(device)
        log_ratio = output.distribution.log_prob(batch.actions.to(device)) - batch.log_probs.to(device)
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - s.clip_range, 1 + s.clip_range)
        policy_loss = -row_mean(ratio.mul(advantages).minimum(clipped * advantages), made).mean()  # equation 7
        value_loss = row_mean((output.values - batch.returns.to(device)).square(), made).mean()
        loss, metrics = self.regularize(policy_loss + s.value_weight * value_loss, output, batch.reference)
        return loss, metrics | {
            "value_loss": value_loss.item(),
            "kl_step": row_mean(ratio - 1 - log_ratio, made).mean().item(),  # low-variance estimate of KL(old || new)
            "clipped": row_mean(((ratio - 1).abs() > s.clip_range).float(), made).mean().item(),
        }

    def update(self, policy: Policy, batch: Any, step: Step[Any]) -> Metrics:
        metrics = super().update(policy, batch, step)
        self._moved = metrics["kl_step"]
        return metrics
