"""Supervised warm start: imitate the best known actions."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.models.policy import Policy
from core.rl.algorithm import Algorithm, Batch, Metrics, Step
from core.rl.settings import MinibatchSettings


class SupervisedSettings(MinibatchSettings):
    """Settings of supervised training."""


@dataclass
class Demonstrations(Batch):
    """States with what should be done in them.

    Attributes:
        targets: Distribution over the right first picks of each state, float32 of shape (states, options).
    """

    targets: np.ndarray


class Supervised(Algorithm):
    """Cross-entropy between the policy's first pick and the demonstrated one.

    Args:
        demonstrations: Demonstrations of the training split.
        settings: Settings of the stage.
    """

    def __init__(self, demonstrations: Demonstrations, settings: SupervisedSettings) -> None:
        self.demonstrations, self.settings = demonstrations, settings

    def updates_per_iteration(self) -> int:
        return math.ceil(len(self.demonstrations) / self.settings.batch_size)

    def updates(self, policy: Policy, seed: int, step: Step) -> Iterator[Metrics]:
        for batch in self.demonstrations.minibatches(policy, self.settings.batch_size, seed):
            yield step(batch)

    def loss(self, policy: Policy, batch: Demonstrations) -> tuple[Tensor, Metrics]:
        distribution = policy(batch.observations).distribution
        targets = torch.as_tensor(batch.targets)
        loss = -(targets * distribution.log_probs.clamp_min(-1e4)).sum(-1).mean()
        right = targets.gather(-1, distribution.mode()[:, :1]) > 0
        return loss, {"loss": loss.item(), "accuracy": right.float().mean().item()}
