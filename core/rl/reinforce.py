"""REINFORCE (Williams 1992) with the leave-one-out baseline of Kool et al. (2019), "RLOO" in Ahmadian et al. (2024).

Every first state is tried `num_generations` times; the others' mean return is a baseline that needs no critic. The step
is taken on the ratio to the policy that acted, whose gradient at the first step is REINFORCE's and which stays correct
when a rollout is divided into several batches; ratios beyond the clip range stop counting, as in TRL's `RLOOTrainer`.
"""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from torch import Tensor

from core.models.policy import Policy
from core.rl.algorithm import Metrics, Step
from core.rl.on_policy import GroupAlgorithm
from core.rl.rollout import Rollout, leave_one_out, normalize_advantages
from core.rl.settings import GroupSettings


class ReinforceSettings(GroupSettings):
    """Settings of REINFORCE."""

    algorithm: Literal["reinforce"] = "reinforce"
    normalize_advantage: bool = Field(
        default=True, description="Whether the advantages of a rollout are brought to mean 0 and deviation 1."
    )


class Reinforce(GroupAlgorithm):
    """Judges every state's action, whatever its picks, by what the episode brought in the end."""

    settings: ReinforceSettings

    def updates_per_iteration(self) -> int:
        return self.batches_per_epoch(self.settings.batch_size)

    def group_advantages(self, returns: Tensor) -> Tensor:
        return leave_one_out(returns, self.settings.num_generations)

    def collect_rollouts(self, policy: Policy, seed: int) -> Rollout:
        rollout = super().collect_rollouts(policy, seed)
        if self.settings.normalize_advantage:
            rollout.advantages = normalize_advantages(rollout.advantages, rollout.mask)
        return rollout

    def updates(self, policy: Policy, seed: int, step: Step) -> Iterator[Metrics]:
        for batch in self.collect_rollouts(policy, seed).minibatches(policy, self.settings.batch_size, seed):
            yield step(batch)

    def loss(self, policy: Policy, batch: Rollout) -> tuple[Tensor, Metrics]:
        clip = self.settings.clip_range
        output = policy(batch.observations, batch.actions)
        # clipped surrogate loss, on the ratio of whole actions
        log_ratio = output.distribution.log_prob(batch.actions) - batch.log_probs
        ratio, advantages = (log_ratio * batch.mask).sum(-1).exp(), batch.advantages[:, 0]
        loss = -(ratio * advantages).minimum(ratio.clamp(1 - clip, 1 + clip) * advantages).mean()
        # entropy bonus and KL penalty
        return self.regularize(loss, output, batch.reference)
