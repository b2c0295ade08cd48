"""Intervals by resampling episodes."""

from dataclasses import dataclass

import numpy as np

RESAMPLES = 5000


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap_mean(values: np.ndarray, *, seed: int = 0) -> Estimate:
    """Mean of `values` (episodes,) with its percentile bootstrap interval (Efron 1979).

    Raises:
        ValueError: `values` is empty.
    """
    if not len(values):
        raise ValueError("no values to average")
    generator = np.random.default_rng(seed)
    # In slices: all resamples at once would need RESAMPLES x len(values) numbers.
    means = np.concatenate(
        [values[generator.integers(0, len(values), (RESAMPLES // 10, len(values)))].mean(axis=1) for _ in range(10)]
    )
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high))


def paired_gain(values: np.ndarray, baseline: np.ndarray, *, seed: int = 0) -> Estimate:
    """Mean of the episode-by-episode difference, which leaves the difficulty of the episodes out of the interval."""
    return bootstrap_mean(values - baseline, seed=seed)
