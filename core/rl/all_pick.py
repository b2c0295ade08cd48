"""The exact policy gradient of each pick of a list, along lists that the policy draws.

A list's return is the sum of its picks' rewards. The reward of a pick is averaged over all options that the policy
might have picked there ("all-action" policy gradient: Sutton et al. 2001; Ciosek & Whiteson 2018, equation 5); what it
does to the rewards of later picks is sampled, with the other lists of the same state as a baseline (leave-one-out: Kool
et al. 2019). So a right option teaches at every pick, however seldom it is drawn.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from core.envs.observations import Observations, count
from core.models.diverse_list import DiverseList
from core.models.policy import Policy
from core.rl.algorithm import Batch, Metrics, RLAlgorithm, Step
from core.rl.rollout import leave_one_out
from core.rl.settings import MinibatchSettings, RLSettings

# From rows of the training states (n,) and lists (n, picks) to the reward of each option at each pick, given the picks
# before it: float32 of shape (n, picks, options).
OptionRewards = Callable[[np.ndarray, np.ndarray], np.ndarray]


class AllPickSettings(RLSettings, MinibatchSettings):
    """Settings of the exact gradient of picks."""

    algorithm: Literal["all_pick"] = "all_pick"
    num_generations: int = Field(default=2, ge=2, description="Number of lists that are drawn for each state.")


@dataclass
class ListStates(Batch):
    """States in which lists are drawn.

    Attributes:
        number: Number of each state among the training states, int64 of shape (rows,).
        reference: Log-probabilities of the reference policy, see `Policy.log_probs_for_kl`; None without one.
    """

    number: np.ndarray
    reference: Tensor | None = None


class AllPick(RLAlgorithm):
    """Gradient ascent on the reward of lists, with an entropy bonus and a KL penalty to the policy that it began as.

    Args:
        observations: Training states.
        rewards: Reward of each option at each pick.
        settings: Settings of the algorithm.
        reference: Frozen policy to stay close to; None leaves the KL penalty out.
    """

    settings: AllPickSettings

    def __init__(
        self,
        observations: Observations,
        rewards: OptionRewards,
        settings: AllPickSettings,
        reference: Policy | None = None,
    ) -> None:
        super().__init__(settings, reference)
        self.rewards = rewards
        self.states = ListStates(observations, np.arange(count(observations)))
        if self.reference is not None:
            self.states.reference = self.reference.log_probs_for_kl(observations, torch.empty(0))

    def updates_per_iteration(self) -> int:
        return math.ceil(len(self.states) / self.settings.batch_size)

    def updates(self, policy: Any, seed: int, step: Step) -> Iterator[Metrics]:
        for batch in self.states.minibatches(policy, self.settings.batch_size, seed):
            yield step(batch)

    def loss(self, policy: Policy, batch: ListStates) -> tuple[Tensor, Metrics]:
        output, group = policy(batch.observations), self.settings.num_generations
        assert isinstance(output.distribution, DiverseList)
        distribution = output.distribution.repeated(group)
        lists, log_probs = distribution.draw()
        numbers = np.repeat(batch.number, group)
        rewards = torch.as_tensor(self.rewards(numbers, lists.cpu().numpy()), device=log_probs.device)
        # reward of each pick, expected over all options
        expected = (log_probs.exp() * rewards).sum(-1)
        # what each pick did to the rewards of the later ones, beside the state's other lists
        paid = rewards.gather(-1, lists.unsqueeze(-1)).squeeze(-1)
        later = (paid.flip(1).cumsum(1).flip(1) - paid).T
        advantages = leave_one_out(later.flatten(), group).reshape(later.shape).T
        sampled = log_probs.gather(-1, lists.unsqueeze(-1)).squeeze(-1) * advantages
        # entropy bonus and KL penalty
        loss, metrics = self.regularize(-(expected + sampled).sum(-1).mean(), output, batch.reference)
        return loss, metrics | {"train_return": paid.sum(-1).mean().item()}
