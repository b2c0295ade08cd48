"""States of plain numbers: a small network, with running statistics to bring them to one scale."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from core.models.state_encoder import StateEncoder


class RunningStatistics(nn.Module):
    """Mean and variance of everything seen so far (Chan et al. 1979, the pairwise update).

    Args:
        shape: Shape of one value.
    """

    running_mean: Tensor
    running_variance: Tensor
    running_count: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("running_variance", torch.ones(shape, dtype=torch.float64))
        self.register_buffer("running_count", torch.zeros((), dtype=torch.float64))

    def update(self, values: Tensor) -> None:
        """Take in values, float of shape (n, *shape)."""
        values = values.double().to(self.running_mean.device)
        seen, new = self.running_count, len(values)
        if not new:
            return
        total, gap = seen + new, values.mean(0) - self.running_mean
        squares = self.running_variance * seen + values.var(0, unbiased=False) * new + gap**2 * seen * new / total
        self.running_mean += gap * new / total
        self.running_variance.copy_(squares / total)
        self.running_count.copy_(total)

    def scaled(self, values: Tensor, *, centred: bool) -> Tensor:
        """Values over their standard deviation, cut at 10 of them; `centred` takes the mean off first."""
        shift = self.running_mean if centred else torch.zeros_like(self.running_mean)
        return ((values - shift) / (self.running_variance + 1e-8).sqrt()).clamp(-10, 10).to(values.dtype)


class FeatureEncoder(StateEncoder):
    """Multi-layer perceptron on a column of float vectors.

    Args:
        features: Length of a vector.
        hidden: Widths of the layers; each ends in tanh, as in Stable-Baselines3's `MlpPolicy`.
        normalize: Whether features are scaled by running statistics.
    """

    def __init__(self, features: int, hidden: tuple[int, ...] = (64, 64), *, normalize: bool = False) -> None:
        super().__init__()
        self.width = hidden[-1]
        self.statistics = RunningStatistics((features,)) if normalize else None
        layers: list[nn.Module] = []
        for size, next_size in zip((features, *hidden), hidden, strict=False):
            linear = nn.Linear(size, next_size)
            nn.init.orthogonal_(linear.weight, 2**0.5)
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, column: Sequence[np.ndarray] | np.ndarray) -> Tensor:
        """Float32 of shape (states, width)."""
        values = self._tensor(column)
        return self.layers(values if self.statistics is None else self.statistics.scaled(values, centred=True))

    def observe(self, column: Sequence[np.ndarray] | np.ndarray) -> None:
        """Take states into the running statistics."""
        if self.statistics is not None:
            self.statistics.update(self._tensor(column))

    def lengths(self, column: Sequence[np.ndarray] | np.ndarray) -> list[int]:
        """Every state costs the same."""
        return [1] * len(column)

    def _tensor(self, column: Sequence[np.ndarray] | np.ndarray) -> Tensor:
        return torch.as_tensor(np.asarray(column), dtype=torch.float32, device=next(self.parameters()).device)
