"""Proximal policy optimisation (Schulman et al. 2017), clipped, with a value loss and generalized advantages.

Left out of the paper: nothing. Added: an exact KL penalty to the supervised policy, which keeps a small pretrained
network from unlearning what it was taught, and an end to the updates of an iteration once the policy has moved by
`target_kl` (as in Stable-Baselines3).
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from core.config import RLSettings
from core.data.batches import shuffled
from core.envs.episodes import EpisodeEnv
from core.models.policy import ActorCritic
from core.rl.algorithm import Metrics
from core.rl.rollout import Rollout, collect


class PPO:
    """Collects a rollout in each iteration and passes over it several times.

    Args:
        env: training environment.
        settings: see `RLSettings`.
        reference: frozen policy to stay close to; None leaves the KL penalty out.
    """

    def __init__(self, env: EpisodeEnv, settings: RLSettings, reference: ActorCritic | None = None) -> None:
        self.env, self.settings = env, settings
        self.reference = reference if settings.kl > 0 else None
        self._moved = 0.0  # estimate of the KL between the policy that acted and the present one
        self._episode_return = 0.0

    def updates_an_iteration(self) -> int:
        rows = self.settings.steps * self.env.num_envs
        return self.settings.epochs * math.ceil(rows / self.settings.batch_size)

    def batches(self, policy: ActorCritic, seed: int) -> Iterator[Rollout]:
        s = self.settings
        rollout = collect(
            policy,
            self.env,
            steps=s.steps,
            seed=seed,
            gamma=s.gamma,
            gae_lambda=s.gae_lambda,
            reference=self.reference,
        )
        self._episode_return = float(rollout.episode_returns.mean()) if len(rollout.episode_returns) else 0.0
        # Over the whole rollout, not the batch: batches are bucketed by length, and short texts differ from long ones.
        rollout.advantages = (rollout.advantages - rollout.advantages.mean()) / (rollout.advantages.std() + 1e-8)
        lengths = policy.lengths(rollout.observations)
        generator = np.random.default_rng(seed)
        self._moved = 0.0
        for _ in range(s.epochs):
            for rows in shuffled(lengths, s.batch_size, generator):
                if self._moved > 1.5 * s.target_kl:
                    return
                yield rollout.rows(rows)

    def loss(self, policy: ActorCritic, batch: Rollout) -> tuple[Tensor, Metrics]:
        s = self.settings
        output = policy(batch.observations)
        device = output.values.device
        advantages = batch.advantages.to(device)
        log_ratio = output.distribution.log_prob(batch.actions.to(device)) - batch.log_probs.to(device)
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - s.clip_range, 1 + s.clip_range)
        policy_loss = -torch.minimum(ratio * advantages, clipped * advantages).mean()  # equation 7
        value_loss = (output.values - batch.returns.to(device)).square().mean()
        entropy = output.distribution.entropy().mean()
        loss = policy_loss + s.value_weight * value_loss - s.entropy * entropy
        self._moved = (ratio - 1 - log_ratio).mean().item()  # low-variance estimate of KL(old || new)
        metrics = {
            "value_loss": value_loss.item(),
            "entropy": entropy.item(),
            "kl_step": self._moved,
            "clipped": ((ratio - 1).abs() > s.clip_range).float().mean().item(),
            "train_return": self._episode_return,
        }
        if batch.reference_log_probs is not None:
            kl = output.distribution.kl(batch.reference_log_probs.to(device)).mean()
            loss = loss + s.kl * kl
            metrics["kl"] = kl.item()
        metrics["loss"] = loss.item()
        return loss, metrics
