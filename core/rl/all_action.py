"""The exact policy gradient where the environment can tell the reward of every action.

Maximises the expected reward sum_a pi(a|s) r(s, a) itself, so no action is sampled and no variance is added
("all-action" or "expected" policy gradient: Sutton et al. 2001; Ciosek & Whiteson 2018, equation 5).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.config import RLSettings
from core.data.batches import shuffled
from core.envs.observations import Observations, count, take
from core.models.policy import ActorCritic
from core.rl.algorithm import Metrics

ActionValues = Callable[[ActorCritic], np.ndarray]


@dataclass
class RewardedStates:
    """States with the value of every action.

    Attributes:
        observations: the states.
        rewards: or values where decisions follow, float32 of shape (states, actions).
        reference_log_probs: under the reference policy, (states, actions); None without one.
    """

    observations: Observations
    rewards: np.ndarray
    reference_log_probs: Tensor | None = None


class AllAction:
    """Gradient ascent on the expected reward, with an entropy bonus and a KL penalty to the supervised policy.

    Args:
        observations: training states.
        values: what each action in each state is worth under a policy, float32 of shape (states, actions); asked anew
            in every iteration, since where decisions follow one another the later ones count too.
        settings: see `RLSettings`.
        reference: frozen policy to stay close to; None leaves the KL penalty out.
    """

    def __init__(
        self,
        observations: Observations,
        values: ActionValues,
        settings: RLSettings,
        reference: ActorCritic | None = None,
    ) -> None:
        self.observations, self.values, self.settings = observations, values, settings
        self.reference = reference.logits(observations) if reference is not None and settings.kl > 0 else None

    def updates_an_iteration(self) -> int:
        return math.ceil(count(self.observations) / self.settings.batch_size)

    def batches(self, policy: ActorCritic, seed: int) -> Iterator[RewardedStates]:
        values = self.values(policy)
        lengths = policy.lengths(self.observations)
        for rows in shuffled(lengths, self.settings.batch_size, np.random.default_rng(seed)):
            reference = None if self.reference is None else self.reference[rows]
            yield RewardedStates(take(self.observations, rows), values[rows], reference)

    def loss(self, policy: ActorCritic, batch: RewardedStates) -> tuple[Tensor, Metrics]:
        distribution = policy(batch.observations).distribution
        rewards = torch.as_tensor(batch.rewards, device=distribution.log_probs.device)
        expected = (distribution.probs * rewards).sum(-1).mean()
        entropy = distribution.entropy().mean()
        loss = -expected - self.settings.entropy * entropy
        metrics = {"train_return": expected.item(), "entropy": entropy.item()}
        if batch.reference_log_probs is not None:
            kl = distribution.kl(batch.reference_log_probs.to(loss.device)).mean()
            loss = loss + self.settings.kl * kl
            metrics["kl"] = kl.item()
        metrics["loss"] = loss.item()
        return loss, metrics
