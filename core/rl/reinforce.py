"""REINFORCE (Williams 1992) with the leave-one-out baseline of Kool et al. (2019), "RLOO" in Ahmadian et al. (2024).

Every first state is tried `group` times; the others' mean return is a baseline that needs no critic. The step is taken
on the ratio to the policy that acted, whose gradient at the first step is REINFORCE's and which stays correct when a
rollout is divided into several batches; ratios beyond the clip range stop counting, as in TRL's `RLOOTrainer`.
"""

import math
from collections.abc import Iterator

import numpy as np
from torch import Tensor

from core.envs.episodes import EpisodeEnv
from core.models.policy import Policy
from core.rl.advantages import first_episodes, leave_one_out
from core.rl.algorithm import Metrics
from core.rl.experience import normalize_advantages
from core.rl.on_policy import OnPolicy
from core.rl.rollout import Rollout
from core.rl.settings import RLSettings


class Reinforce(OnPolicy):
    """Judges every state's action, whatever its picks, by what the episode brought in the end."""

    def __init__(self, env: EpisodeEnv, settings: RLSettings, reference: Policy | None = None) -> None:
        super().__init__(env, settings, reference, group=settings.group)

    def updates_per_iteration(self) -> int:
        return math.ceil(self.settings.steps * self.experience.env.num_envs / self.settings.batch_size)

    def batches(self, policy: Policy, seed: int) -> Iterator[Rollout]:
        rollout, environment, returns = first_episodes(self.experience.collect(policy, seed))
        gains = leave_one_out(returns, self.settings.group)
        rollout.advantages = gains[environment][:, None].expand(-1, rollout.actions.shape[1]).contiguous()
        if self.settings.normalize_advantage:
            rollout.advantages = normalize_advantages(rollout.advantages, rollout.made)
        yield from self.experience.batches(rollout, policy, np.random.default_rng(seed))

    def loss(self, policy: Policy, batch: Rollout) -> tuple[Tensor, Metrics]:
        output = policy(batch.observations, batch.actions)
        device = output.values.device
        log_probs = output.distribution.log_prob(batch.actions.to(device))
        log_ratio = (log_probs - batch.log_probs.to(device)).mul(batch.made.to(device)).sum(-1)
        ratio, gain = log_ratio.exp(), batch.advantages[:, 0].to(device)
        clip = self.settings.clip_range
        loss = -(ratio * gain).minimum(ratio.clamp(1 - clip, 1 + clip) * gain).mean()
        return self.regularize(loss, output, batch.reference)
