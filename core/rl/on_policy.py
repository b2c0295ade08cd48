"""What PPO, A2C, TRPO, REINFORCE and GRPO have in common: they learn from their own fresh rollouts."""

import math
from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor

from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations, join, take
from core.models.features import RunningStatistics
from core.models.policy import Policy
from core.rl.algorithm import Metrics, RLAlgorithm
from core.rl.rollout import (
    Rollout,
    check_first_episodes_end,
    check_groups_begin_alike,
    first_episodes,
    generalized_advantages,
    normalize_advantages,
)
from core.rl.settings import CriticSettings, GroupSettings, RolloutSettings


class OnPolicy(RLAlgorithm):
    """Acts in an environment, and learns from what came of it.

    Args:
        env: Training environment.
        settings: Settings of the algorithm.
        reference: Frozen policy to stay close to; None leaves the KL penalty out.
    """

    settings: RolloutSettings

    def __init__(self, env: EpisodeEnv, settings: RolloutSettings, reference: Policy | None = None) -> None:
        super().__init__(settings, reference)
        self.env = env
        self.episode_return: float | None = None
        self._last_obs: Observations | None = None
        self._running_returns = np.zeros(0)
        self._seen: Observations | None = None

    @abstractmethod
    def collect_rollouts(self, policy: Policy, seed: int) -> Rollout:
        """What one iteration learns from, with advantages; all chance comes from the seed."""

    def batches_per_epoch(self, batch_size: int) -> int:
        """Batches in one pass over a whole rollout."""
        return math.ceil(self.settings.n_steps * self.env.num_envs / batch_size)

    def end_iteration(self, policy: Policy, metrics: Metrics) -> None:
        if self.episode_return is not None:  # no episode need have ended yet that goes on from rollout to rollout
            metrics["train_return"] = self.episode_return
        if self._seen is not None:
            policy.observe(self._seen)  # into its running statistics, now that no ratio depends on them
        super().end_iteration(policy, metrics)

    def _act(self, policy: Policy, seed: int, *, fresh: bool, repeat: int = 1) -> Rollout:
        """A rollout without advantages, and what the reference policy says of it."""
        if fresh or self._last_obs is None:
            self._last_obs, _ = self.env.reset(seed=seed, options={"repeat": repeat})
            self._running_returns = np.zeros(self.env.num_envs)
        rollout = collect(
            policy,
            self.env,
            n_steps=self.settings.n_steps,
            seed=seed,
            initial_obs=self._last_obs,
            running_returns=self._running_returns,
        )
        self._last_obs, self._seen = self.env.observe(), rollout.observations
        if len(rollout.episode_returns):
            self.episode_return = float(rollout.episode_returns.mean())
        if self.reference is not None:
            rollout.reference = self.reference.log_probs_for_kl(rollout.observations, rollout.actions)
        return rollout


class CriticAlgorithm(OnPolicy):
    """Judges each pick by a critic, with generalized advantages."""

    settings: CriticSettings

    def __init__(self, env: EpisodeEnv, settings: CriticSettings, reference: Policy | None = None) -> None:
        super().__init__(env, settings, reference)
        self.reward_scale = RunningStatistics(())

    def collect_rollouts(self, policy: Policy, seed: int) -> Rollout:
        s = self.settings
        rollout = self._act(policy, seed, fresh=s.fresh_episodes)
        if s.fresh_episodes:
            check_first_episodes_end(rollout)
        if s.normalize_reward:
            self._scale_rewards(rollout)
        rollout.advantages, rollout.returns = generalized_advantages(rollout, s.gamma, s.gae_lambda)
        if s.normalize_advantage:
            rollout.advantages = normalize_advantages(rollout.advantages, rollout.mask)
        return rollout

    def state(self) -> dict[str, Tensor]:
        return {**super().state(), **self.reward_scale.state_dict()}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        super().load_state(tensors)
        self.reward_scale.load_state_dict({name: tensors[name] for name in self.reward_scale.state_dict()})

    def _scale_rewards(self, rollout: Rollout) -> None:
        # By the deviation of discounted returns, as in Stable-Baselines3's `VecNormalize`: the sign is kept.
        rewards = rollout.rewards.sum(1).reshape(-1, rollout.n_envs)
        dones = rollout.dones.reshape(-1, rollout.n_envs)
        running, returns = torch.zeros(rollout.n_envs), []
        for reward, done in zip(rewards, dones, strict=True):
            running = running * self.settings.gamma + reward
            returns.append(running)
            running = running * ~done
        self.reward_scale.update(torch.cat(returns))
        rollout.rewards = self.reward_scale.scaled(rollout.rewards, centred=False)


class GroupAlgorithm(OnPolicy):
    """Tries every first state several times, and judges an episode's picks by its return beside its group's."""

    settings: GroupSettings

    @abstractmethod
    def group_advantages(self, returns: Tensor) -> Tensor:
        """Advantage of each episode.

        Args:
            returns: Returns of groups one after the other, float32 of shape (n_envs,).
        """

    def collect_rollouts(self, policy: Policy, seed: int) -> Rollout:
        group = self.settings.num_generations
        rollout = self._act(policy, seed, fresh=True, repeat=group)
        check_groups_begin_alike(rollout, group)
        rollout, environment, returns = first_episodes(rollout)
        advantages = self.group_advantages(returns)[environment]
        rollout.advantages = advantages[:, None].expand(-1, rollout.actions.shape[1]).contiguous()
        return rollout


@torch.no_grad()
def collect(
    policy: Policy,
    env: EpisodeEnv,
    *,
    n_steps: int,
    seed: int,
    initial_obs: Observations,
    running_returns: np.ndarray | None = None,
) -> Rollout:
    """Let a policy act in every environment.

    Args:
        policy: Policy that acts by sampling.
        env: Environment that has been reset, or goes on from an earlier rollout.
        n_steps: Steps of each environment.
        seed: Seed of the sampling.
        initial_obs: Present states of the environments.
        running_returns: Undiscounted returns of the episodes that go on from an earlier rollout, float64 of shape
            (n_envs,); brought up to date in place.
    """
    policy.eval()
    generator = torch.Generator(device=policy.device).manual_seed(seed)
    running = np.zeros(env.num_envs) if running_returns is None else running_returns
    obs, observations, steps, rewards, dones, final_values = initial_obs, [], [], [], [], []
    episode_returns: list[float] = []
    for _ in range(n_steps):
        step = policy.sample(obs, generator)
        observations.append(obs)
        steps.append(step)
        obs, reward, terminated, truncated, infos = env.step(step.actions.numpy())
        rewards.append(_pick_rewards(reward, step.mask, infos.get("pick_rewards")))
        final_values.append(torch.zeros(env.num_envs))
        if truncated.any():
            cut = np.flatnonzero(truncated)
            final_values[-1][cut] = policy.value(take(infos["final_observations"], cut))
        done = terminated | truncated
        dones.append(torch.as_tensor(done))
        running += reward
        episode_returns += running[done].tolist()
        running[done] = 0
    values = _stack([step.values for step in steps])
    return Rollout(
        observations=join(observations),
        actions=_stack([step.actions for step in steps]),
        mask=_stack([step.mask for step in steps]),
        log_probs=_stack([step.log_probs for step in steps]),
        values=values,
        rewards=_stack(rewards),
        dones=torch.cat(dones),
        final_values=torch.cat(final_values),
        # Behind the end of an episode nothing is expected, and asking would cost a forward pass.
        last_values=torch.zeros(env.num_envs) if dones[-1].all() else policy.value(obs),
        episode_returns=np.array(episode_returns),
        advantages=torch.zeros_like(values),
        returns=torch.zeros_like(values),
    )


def _pick_rewards(reward: np.ndarray, mask: Tensor, pick_rewards: np.ndarray | None) -> Tensor:
    """Reward of each pick, float32 of the mask's shape; one of a whole action is given to its last pick."""
    if pick_rewards is not None:
        return torch.as_tensor(pick_rewards, dtype=torch.float32)
    rewards = torch.zeros(mask.shape)
    rewards[torch.arange(len(mask)), mask.sum(1) - 1] = torch.as_tensor(reward, dtype=torch.float32)
    return rewards


def _stack(parts: list[Tensor]) -> Tensor:
    """All rows, filled up with zeros to the same number of picks."""
    picks = max(part.shape[1] for part in parts)
    return torch.cat([torch.nn.functional.pad(part, (0, picks - part.shape[1])) for part in parts])
