"""The decision rule that supervised probabilities and a known cost matrix make optimal."""

import numpy as np
import torch
from torch import Tensor

from core.models.rule_head import expected_rewards, of_each_factor
from core.rl.supervised import Demonstrations


def fit_temperature(log_probs: Tensor, demonstrations: Demonstrations) -> float:
    """Temperature that makes probabilities honest on held-out demonstrations (Guo et al. 2017).

    Args:
        log_probs: Log-probability of each option, float32 of shape (states, options).
        demonstrations: Targets of the same states.
    """
    targets = torch.as_tensor(demonstrations.targets)
    grid = np.geomspace(0.3, 5.0, 60)
    losses = [
        -(targets * (log_probs / temperature).log_softmax(-1).clamp_min(-1e4)).sum(-1).mean().item()
        for temperature in grid
    ]
    return float(grid[int(np.argmin(losses))])


def fit_temperatures(log_probs: Tensor, demonstrations: Demonstrations, factors: tuple[int, ...]) -> Tensor:
    """Temperature that `core.models.rule_head.calibrated` takes: one, or one for each factor."""
    if not factors:
        return torch.tensor(fit_temperature(log_probs, demonstrations))
    targets = of_each_factor(torch.as_tensor(demonstrations.targets).log(), factors)
    known = [Demonstrations(demonstrations.observations, target.exp().numpy()) for target in targets]
    parts = of_each_factor(log_probs, factors)
    return torch.tensor([fit_temperature(*each) for each in zip(parts, known, strict=True)])


def minimum_expected_cost(log_probs: Tensor, rewards: np.ndarray, temperature: float) -> np.ndarray:
    """Actions of highest expected reward, int64 of shape (states, 1).

    Args:
        log_probs: Log-probability that each option is right, float32 of shape (states, options).
        rewards: Reward of (what is right, action), shape (options, actions) or (states, options, actions). With fewer
            options than `log_probs`, those behind them are never right, such as to abstain.
        temperature: Temperature that `fit_temperature` gives.
    """
    return expected_rewards((log_probs / temperature).softmax(-1), rewards).argmax(-1, keepdim=True).numpy()
