"""Proximal policy optimisation (Schulman et al. 2017), clipped, with a value loss and generalized advantages.

Left out of the paper: nothing. Added: a KL penalty to the supervised policy, which keeps a small pretrained network
from unlearning what it was taught, and an end to the updates of an iteration once the policy has moved by `target_kl`
(as in Stable-Baselines3).
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
from core.rl.settings import CriticSettings, MinibatchSettings


class PPOSettings(CriticSettings, MinibatchSettings):
    """Settings of PPO."""

    algorithm: Literal["ppo"] = "ppo"
    n_epochs: int = Field(default=2, ge=1, description="Passes over each rollout.")
    clip_range: float = Field(
        default=0.2, gt=0, description="Distance from 1 at which the ratio to the old policy is clipped."
    )
    vf_coef: float = Field(default=0.5, ge=0, description="Weight of the value loss.")
    target_kl: float | None = Field(
        default=0.03,
        gt=0,
        description="KL divergence to the old policy in nats that ends the updates of an iteration at 1.5 times its "
        "size; None never ends them early.",
    )


class PPO(CriticAlgorithm):
    """Collects a rollout in each iteration and passes over it several times."""

    settings: PPOSettings

    def updates_per_iteration(self) -> int:
        return self.settings.n_epochs * self.batches_per_epoch(self.settings.batch_size)

    def updates(self, policy: Policy, seed: int, step: Step) -> Iterator[Metrics]:
        s = self.settings
        rollout = self.collect_rollouts(policy, seed)
        for batch in rollout.minibatches(policy, s.batch_size, seed, s.n_epochs):
            metrics = step(batch)
            yield metrics
            if s.target_kl is not None and metrics["approx_kl"] > 1.5 * s.target_kl:
                break

    def loss(self, policy: Policy, batch: Rollout) -> tuple[Tensor, Metrics]:
        s = self.settings
        output = policy(batch.observations, batch.actions)
        # ratio between the new and the old policy, 1 at the first step
        log_ratio = output.distribution.log_prob(batch.actions) - batch.log_probs
        ratio = log_ratio.exp()
        # clipped surrogate loss (equation 7)
        clipped = ratio.clamp(1 - s.clip_range, 1 + s.clip_range)
        surrogate = (ratio * batch.advantages).minimum(clipped * batch.advantages)
        policy_loss = -row_mean(surrogate, batch.mask).mean()
        # value loss
        value_loss = row_mean((output.values - batch.returns).square(), batch.mask).mean()
        # entropy bonus and KL penalty
        loss, metrics = self.regularize(policy_loss + s.vf_coef * value_loss, output, batch.reference)
        # how far the policy has moved: a low-variance estimate of KL(old || new) (Schulman 2020, k3)
        approx_kl = row_mean(ratio - 1 - log_ratio, batch.mask).mean()
        clip_fraction = row_mean(((ratio - 1).abs() > s.clip_range).float(), batch.mask).mean()
        return loss, metrics | {
            "value_loss": value_loss.item(),
            "approx_kl": approx_kl.item(),
            "clip_fraction": clip_fraction.item(),
        }
