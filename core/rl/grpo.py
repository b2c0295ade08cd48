"""Group relative policy optimisation (Shao et al. 2024, DeepSeekMath, equation 3).

Every first state is tried `num_generations` times; an episode's advantage is its return's distance from its group's
mean in standard deviations, for each of its picks. The upper side of the clip range may be wider (Yu et al. 2025, DAPO,
section 3.1). The KL penalty is the shared one; on texts that is the paper's per-token estimate.
"""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from torch import Tensor

from core.models.distributions import row_mean
from core.models.policy import Policy
from core.rl.algorithm import Metrics, Step
from core.rl.on_policy import GroupAlgorithm
from core.rl.rollout import Rollout, group_relative
from core.rl.settings import GroupSettings


class GRPOSettings(GroupSettings):
    """Settings of GRPO."""

    algorithm: Literal["grpo"] = "grpo"
    n_epochs: int = Field(default=2, ge=1, description="Passes over each rollout.")
    clip_range_high: float | None = Field(
        default=None,
        gt=0,
        description="Distance above 1 at which the ratio is clipped; None for clip_range.",
    )


class GRPO(GroupAlgorithm):
    """Compares episodes of the same first state with each other."""

    settings: GRPOSettings

    def updates_per_iteration(self) -> int:
        return self.settings.n_epochs * self.batches_per_epoch(self.settings.batch_size)

    def group_advantages(self, returns: Tensor) -> Tensor:
        return group_relative(returns, self.settings.num_generations)

    def updates(self, policy: Policy, seed: int, step: Step) -> Iterator[Metrics]:
        s = self.settings
        for batch in self.collect_rollouts(policy, seed).minibatches(policy, s.batch_size, seed, s.n_epochs):
            yield step(batch)

    def loss(self, policy: Policy, batch: Rollout) -> tuple[Tensor, Metrics]:
        s = self.settings
        output = policy(batch.observations, batch.actions)
        # clipped surrogate loss, pick by pick
        ratio = (output.distribution.log_prob(batch.actions) - batch.log_probs).exp()
        clipped = ratio.clamp(1 - s.clip_range, 1 + (s.clip_range_high or s.clip_range))
        surrogate = (ratio * batch.advantages).minimum(clipped * batch.advantages)
        loss = -row_mean(surrogate, batch.mask).mean()
        # entropy bonus and KL penalty
        return self.regularize(loss, output, batch.reference)
