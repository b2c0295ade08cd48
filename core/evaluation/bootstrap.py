"""Intervals by resampling episodes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RESAMPLES = 5000


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap(statistic: Callable[[np.ndarray], np.ndarray], rows: int, *, seed: int = 0) -> Estimate:
    """A statistic of `rows` rows with its percentile bootstrap interval (Efron 1979).

    Args:
        statistic: Maps row numbers of shape (..., rows) to values of shape (...).
        rows: Number of rows, drawn with replacement in each resample.
        seed: Seed of the resamples.

    Raises:
        ValueError: There is no row.
    """
    if not rows:
        raise ValueError("no values to average")
    generator = np.random.default_rng(seed)
    # In slices: all resamples at once would need RESAMPLES x rows numbers.
    values = np.concatenate([statistic(generator.integers(0, rows, (RESAMPLES // 10, rows))) for _ in range(10)])
    low, high = np.quantile(values, [0.025, 0.975])
    return Estimate(float(statistic(np.arange(rows))), float(low), float(high))


def bootstrap_mean(values: np.ndarray, *, seed: int = 0) -> Estimate:
    """Mean of `values` (episodes,) with its bootstrap interval.

    Raises:
        ValueError: `values` is empty.
    """
    return bootstrap(lambda rows: values[rows].mean(-1), len(values), seed=seed)


def paired_gain(values: np.ndarray, baseline: np.ndarray, *, seed: int = 0) -> Estimate:
    """Mean of the episode-by-episode difference, which leaves the difficulty of the episodes out of the interval."""
    return bootstrap_mean(values - baseline, seed=seed)
