"""Supervised warm start: imitate the best known actions."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.data.batches import shuffled
from core.envs.observations import Observations, take
from core.models.policy import Policy
from core.rl.algorithm import Algorithm, Metrics
from core.rl.settings import StageSettings


@dataclass
class Demonstrations:
    """States with what should be done in them.

    Attributes:
        observations: the states.
        targets: float32 of shape (states, options), each row a distribution over the right first picks.
    """

    observations: Observations
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def rows(self, at: np.ndarray) -> "Demonstrations":
        """Some of the states."""
        return Demonstrations(take(self.observations, at), self.targets[at])


class Supervised(Algorithm):
    """Cross-entropy between the policy's first pick and the demonstrated one.

    Args:
        demonstrations: the training split.
        settings: batch size.
    """

    def __init__(self, demonstrations: Demonstrations, settings: StageSettings) -> None:
        self.demonstrations, self.settings = demonstrations, settings

    def updates_per_iteration(self) -> int:
        return math.ceil(len(self.demonstrations) / self.settings.batch_size)

    def batches(self, policy: Policy, seed: int) -> Iterator[Demonstrations]:
        lengths = policy.lengths(self.demonstrations.observations)
        for rows in shuffled(lengths, self.settings.batch_size, np.random.default_rng(seed)):
            yield self.demonstrations.rows(rows)

    def loss(self, policy: Policy, batch: Demonstrations) -> tuple[Tensor, Metrics]:
        distribution = policy(batch.observations).distribution
        targets = torch.as_tensor(batch.targets, device=distribution.log_probs.device)
        loss = -(targets * distribution.log_probs.clamp_min(-1e4)).sum(-1).mean()
        right = targets.gather(-1, distribution.mode()[:, :1]) > 0
        return loss, {"loss": loss.item(), "accuracy": right.float().mean().item()}
