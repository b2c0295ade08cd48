"""Group relative policy optimisation (Shao et al. 2024, DeepSeekMath, equation 3).

Every first state is tried `group` times; an episode's advantage is its return's distance from its group's mean in
standard deviations, for each of its picks. The upper side of the clip range may be wider (Yu et al. 2025, DAPO, section
3.1). The KL penalty is the shared one; on texts that is the paper's per-token estimate.
"""

import math
from collections.abc import Iterator

import numpy as np
from torch import Tensor

from core.envs.episodes import EpisodeEnv
from core.models.distributions import row_mean
from core.models.policy import Policy
from core.rl.advantages import first_episodes, group_relative
from core.rl.algorithm import Metrics
from core.rl.on_policy import OnPolicy
from core.rl.rollout import Rollout
from core.rl.settings import RLSettings


class GRPO(OnPolicy):
    """Compares episodes of the same first state with each other."""

    def __init__(self, env: EpisodeEnv, settings: RLSettings, reference: Policy | None = None) -> None:
        super().__init__(env, settings, reference, group=settings.group)

    def updates_per_iteration(self) -> int:
        rows = self.settings.steps * self.experience.env.num_envs
        return self.settings.epochs * math.ceil(rows / self.settings.batch_size)

    def batches(self, policy: Policy, seed: int) -> Iterator[Rollout]:
        rollout, environment, returns = first_episodes(self.experience.collect(policy, seed))
        advantages = group_relative(returns, self.settings.group)
        rollout.advantages = advantages[environment][:, None].expand(-1, rollout.actions.shape[1]).contiguous()
        generator = np.random.default_rng(seed)
        for _ in range(self.settings.epochs):
            yield from self.experience.batches(rollout, policy, generator)

    def loss(self, policy: Policy, batch: Rollout) -> tuple[Tensor, Metrics]:
        s = self.settings
        output = policy(batch.observations, batch.actions)
        device = output.values.device
        advantages = batch.advantages.to(device)
        log_probs = output.distribution.log_prob(batch.actions.to(device))
        ratio = (log_probs - batch.log_probs.to(device)).exp()
        clipped = ratio.clamp(1 - s.clip_range, 1 + (s.clip_range_high or s.clip_range))
        loss = -row_mean((ratio * advantages).minimum(clipped * advantages), batch.made.to(device)).mean()
        return self.regularize(loss, output, batch.reference)
