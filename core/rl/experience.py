"""Where on-policy algorithms get their rollouts from."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from core.data.batches import shuffled
from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations
from core.models.features import RunningStatistics
from core.models.policy import Policy
from core.rl.rollout import Rollout, collect
from core.rl.settings import RLSettings


class Experience:
    """Collects rollouts, notes what the reference policy would do, and brings rewards to one scale.

    Args:
        env: training environment.
        settings: see `RLSettings`.
        reference: frozen policy to stay close to; None without a KL penalty.
        group: episodes of each first state, for algorithms that compare them.
    """

    def __init__(self, env: EpisodeEnv, settings: RLSettings, reference: Policy | None, group: int = 1) -> None:
        self.env, self.settings, self.group = env, settings, group
        self.reference = reference if settings.kl > 0 else None
        self.scale = RunningStatistics(())
        self.episode_return = 0.0
        self._states: Observations | None = None
        self._so_far = np.zeros(0)
        self._seen: Observations | None = None

    def collect(self, policy: Policy, seed: int) -> Rollout:
        """A rollout without advantages; from fresh episodes on unless the settings say otherwise."""
        s = self.settings
        if self._states is None or s.fresh_episodes:
            self._states, _ = self.env.reset(seed=seed, options={"repeat": self.group})
            self._so_far = np.zeros(self.env.num_envs)
        rollout = collect(
            policy, self.env, steps=s.steps, seed=seed, gamma=s.gamma, begin=self._states, so_far=self._so_far
        )
        self._states = self.env.observe()
        self._seen = rollout.observations
        if len(rollout.episode_returns):
            self.episode_return = float(rollout.episode_returns.mean())
        if s.normalize_reward:
            self._scale_rewards(rollout)
        if self.reference is not None:
            rollout.reference = self.reference.log_probs_for_kl(rollout.observations, rollout.actions)
        return rollout

    def batches(self, rollout: Rollout, policy: Policy, generator: np.random.Generator) -> Iterator[Rollout]:
        """One pass over a rollout in batches of rows of like length."""
        for rows in shuffled(policy.lengths(rollout.observations), self.settings.batch_size, generator):
            yield rollout.rows(rows)

    def end_iteration(self, policy: Policy) -> None:
        """Let the policy take what it saw into its running statistics, now that no ratio depends on them."""
        if self._seen is not None:
            policy.observe(self._seen)

    def state(self) -> dict[str, Tensor]:
        """The statistics of the rewards."""
        return dict(self.scale.state_dict())

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take over what `state` gave."""
        self.scale.load_state_dict(tensors)

    def _scale_rewards(self, rollout: Rollout) -> None:
        # By the deviation of discounted returns, as in Stable-Baselines3's `VecNormalize`: the sign is kept.
        rewards = rollout.rewards.sum(1).reshape(-1, rollout.environments)
        ends = rollout.ends.reshape(-1, rollout.environments)
        running, returns = torch.zeros(rollout.environments), []
        for reward, ended in zip(rewards, ends, strict=True):
            running = running * self.settings.gamma + reward
            returns.append(running)
            running = running * (~ended)
        self.scale.update(torch.cat(returns))
        rollout.rewards = self.scale.scaled(rollout.rewards, centred=False)


def normalize_advantages(advantages: Tensor, made: Tensor) -> Tensor:
    """Advantages with mean 0 and deviation 1.

    Over the whole rollout, not the batch: batches are bucketed by length, and short texts differ from long ones.
    """
    picked = advantages[made]
    return (advantages - picked.mean()) / (picked.std() + 1e-8)
