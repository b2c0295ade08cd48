"""The exact policy gradient where the environment can tell the reward of every action.

Maximises the expected reward sum_a pi(a|s) r(s, a) itself, so no action is sampled and no variance is added
("all-action" or "expected" policy gradient: Sutton et al. 2001; Ciosek & Whiteson 2018, equation 5).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from core.envs.observations import Observations, count
from core.models.actor_critic import ActorCritic
from core.models.policy import Policy
from core.rl.algorithm import Batch, Metrics, RLAlgorithm, Step
from core.rl.settings import MinibatchSettings, RLSettings

# Exact, so for policies that choose: those give every action's probability in one pass.
ActionValues = Callable[[ActorCritic], np.ndarray]


class AllActionSettings(RLSettings, MinibatchSettings):
    """Settings of the exact policy gradient."""

    algorithm: Literal["all_action"] = "all_action"


@dataclass
class RewardedStates(Batch):
    """States with the value of every action.

    Attributes:
        rewards: Reward of every action, or its value where decisions follow, float32 of shape (states, actions).
        reference: Log-probabilities of the reference policy, see `Policy.log_probs_for_kl`; None without one.
    """

    rewards: np.ndarray
    reference: Tensor | None = None


class AllAction(RLAlgorithm):
    """Gradient ascent on the expected reward, with an entropy bonus and a KL penalty to the supervised policy.

    Args:
        observations: Training states.
        values: Worth of each action in each state under a policy, float32 of shape (states, actions); asked anew
            in every iteration, since where decisions follow one another the later ones count too.
        settings: Settings of the algorithm.
        reference: Frozen policy to stay close to; None leaves the KL penalty out.
    """

    settings: AllActionSettings

    def __init__(
        self,
        observations: Observations,
        values: ActionValues,
        settings: AllActionSettings,
        reference: Policy | None = None,
    ) -> None:
        super().__init__(settings, reference)
        self.values = values
        self.states = RewardedStates(observations, np.zeros((count(observations), 0), dtype=np.float32))
        if self.reference is not None:
            self.states.reference = self.reference.log_probs_for_kl(observations, torch.empty(0))

    def updates_per_iteration(self) -> int:
        return math.ceil(len(self.states) / self.settings.batch_size)

    def updates(self, policy: Any, seed: int, step: Step) -> Iterator[Metrics]:
        self.states.rewards = self.values(policy)
        for batch in self.states.minibatches(policy, self.settings.batch_size, seed):
            yield step(batch)

    def loss(self, policy: Policy, batch: RewardedStates) -> tuple[Tensor, Metrics]:
        output = policy(batch.observations)
        # expected reward over all actions
        expected = (output.distribution.probs * torch.as_tensor(batch.rewards)).sum(-1).mean()
        # entropy bonus and KL penalty
        loss, metrics = self.regularize(-expected, output, batch.reference)
        return loss, metrics | {"train_return": expected.item()}
