"""Plots of comparisons and of training curves."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from core.evaluation.comparison import Comparison

_ACCENT, _COLOURS = "#c2410c", ("#94a3b8", "#475569", "#0f766e")


def plot_rewards(comparison: Comparison, file: Path) -> None:
    """Draw rewards with their intervals, one line a policy."""
    names = list(comparison.played)
    _, axes = plt.subplots(figsize=(7, 0.5 * len(names) + 1.2), layout="constrained")
    for row, name in enumerate(names):
        reward = comparison.reward(name)
        colour = _ACCENT if name == "rl" else _COLOURS[1]
        axes.plot([reward.low, reward.high], [row, row], color=colour, linewidth=2.5, solid_capstyle="round")
        axes.plot(reward.value, row, "o", color=colour)
    axes.set_yticks(range(len(names)), [comparison.labels[name] for name in names])
    axes.invert_yaxis()
    axes.set_xlabel(f"mean reward on the {comparison.split} split, 95 % interval")
    _finish(axes, file)


def plot_curves(curves: Mapping[str, list[dict[str, float]]], file: Path) -> None:
    """Draw the validation reward by iteration.

    Args:
        curves: Metrics of each iteration, by stage.
        file: PNG file to write.
    """
    _, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    for row, (stage, history) in enumerate(curves.items()):
        iterations = [metrics["iteration"] for metrics in history]
        rewards = [metrics["validation_reward"] for metrics in history]
        colour = _ACCENT if stage == "rl" else _COLOURS[row % len(_COLOURS)]
        axes.plot(iterations, rewards, "o-", label=stage, color=colour, ms=3)
    axes.set_xlabel("iteration")
    axes.set_ylabel("validation reward")
    axes.legend(frameon=False)
    _finish(axes, file)


def _finish(axes: Axes, file: Path) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    plt.savefig(file, dpi=130)
    plt.close()
