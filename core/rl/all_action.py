"""The exact policy gradient where the environment can tell the reward of every action.

Maximises the expected reward sum_a pi(a|s) r(s, a) itself, so no action is sampled and no variance is added
("all-action" or "expected" policy gradient: Sutton et al. 2001; Ciosek & Whiteson 2018, equation 5).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.data.batches import shuffled
from core.envs.observations import Observations, count, take
from core.models.actor_critic import ActorCritic
from core.models.policy import Policy
from core.rl.algorithm import Algorithm, Metrics
from core.rl.regularizer import Regularizer
from core.rl.settings import RLSettings

# Exact, so for policies that choose: those give every action's probability in one pass.
ActionValues = Callable[[ActorCritic], np.ndarray]


@dataclass
class RewardedStates:
    """States with the value of every action.

    Attributes:
        observations: the states.
        rewards: or values where decisions follow, float32 of shape (states, actions).
        reference: see `Policy.log_probs_for_kl`; None without one.
    """

    observations: Observations
    rewards: np.ndarray
    reference: Tensor | None = None

    def __len__(self) -> int:
        return len(self.rewards)

    def rows(self, at: np.ndarray) -> "RewardedStates":
        """Some of the states."""
        reference = None if self.reference is None else self.reference[at]
        return RewardedStates(take(self.observations, at), self.rewards[at], reference)


class AllAction(Algorithm):
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
        reference: Policy | None = None,
    ) -> None:
        self.values, self.settings = values, settings
        self.regularize = Regularizer(settings)
        no_values = np.zeros((count(observations), 0), dtype=np.float32)
        self.states = RewardedStates(observations, no_values)
        if reference is not None and settings.kl > 0:
            self.states.reference = reference.log_probs_for_kl(observations, torch.empty(0))

    def updates_per_iteration(self) -> int:
        return math.ceil(len(self.states) / self.settings.batch_size)

    def batches(self, policy: Any, seed: int) -> Iterator[RewardedStates]:
        self.states.rewards = self.values(policy)
        lengths = policy.lengths(self.states.observations)
        for rows in shuffled(lengths, self.settings.batch_size, np.random.default_rng(seed)):
            yield self.states.rows(rows)

    def loss(self, policy: Policy, batch: RewardedStates) -> tuple[Tensor, Metrics]:
        output = policy(batch.observations)
        rewards = torch.as_tensor(batch.rewards, device=output.values.device)
        expected = (output.distribution.probs * rewards).sum(-1).mean()
        loss, metrics = self.regularize(-expected, output, batch.reference)
        return loss, metrics | {"train_return": expected.item()}

    def end_iteration(self, policy: Policy, figures: Metrics) -> None:
        self.regularize.end_iteration(figures)

    def state(self) -> dict[str, Tensor]:
        return self.regularize.state()

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        self.regularize.load_state(tensors)
