"""Supervised warm start: imitate the best known actions."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.config import StageSettings
from core.data.batches import shuffled
from core.envs.observations import Observations, take
from core.models.policy import ActorCritic
from core.rl.algorithm import Metrics


@dataclass
class Demonstrations:
    """States with what should be done in them.

    Attributes:
        observations: the states.
        targets: float32 of shape (states, options), each row a distribution over the right first picks.
    """

    observations: Observations
    targets: np.ndarray


class Supervised:
    """Cross-entropy between the policy's first pick and the demonstrated one.

    Args:
        demonstrations: the training split.
        settings: batch size.
    """

    def __init__(self, demonstrations: Demonstrations, settings: StageSettings) -> None:
        self.demonstrations, self.settings = demonstrations, settings

    def updates_an_iteration(self) -> int:
        return math.ceil(len(self.demonstrations.targets) / self.settings.batch_size)

    def batches(self, policy: ActorCritic, seed: int) -> Iterator[Demonstrations]:
        observations, targets = self.demonstrations.observations, self.demonstrations.targets
        lengths = policy.lengths(observations)
        for rows in shuffled(lengths, self.settings.batch_size, np.random.default_rng(seed)):
            yield Demonstrations(take(observations, rows), targets[rows])

    def loss(self, policy: ActorCritic, batch: Demonstrations) -> tuple[Tensor, Metrics]:
        distribution = policy(batch.observations).distribution
        targets = torch.as_tensor(batch.targets, device=distribution.log_probs.device)
        loss = -(targets * distribution.log_probs.clamp_min(-1e4)).sum(-1).mean()
        right = targets.gather(-1, distribution.mode()[:, :1]) > 0
        return loss, {"loss": loss.item(), "accuracy": right.float().mean().item()}
