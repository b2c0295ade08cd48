"""Our algorithms are those that others know: equal returns, equal gradients, equal losses, equal weights."""

import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.parity.cartpole import differences
from benchmarks.parity.processes import kills_survived, weight_differences
from core.evaluation.bootstrap import Estimate
from core.evaluation.figures import figure
from testing.gradients import relative_errors
from testing.trl_losses import loss_differences

GRADIENT_ERROR, LOSS_DIFFERENCE, WEIGHT_DIFFERENCE, KILLS = 1e-4, 1e-5, 1e-5, 10


def run(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """All figures; no data are needed."""
    del data_dir
    results = {}
    for name, error in relative_errors().items():
        results[f"gradient.{name}"] = _exact(error, GRADIENT_ERROR)
    for name, difference in loss_differences().items():
        results[f"trl.{name}"] = _exact(difference, LOSS_DIFFERENCE)
    console.print("gradients and losses compared")
    with tempfile.TemporaryDirectory() as scratch:
        for name, difference in weight_differences(Path(scratch)).items():
            results[f"{name}_max_difference"] = _exact(difference, WEIGHT_DIFFERENCE)
            console.print(f"one process and two ({name}): weights differ by {difference:.1e}")
        kills, survived = kills_survived(Path(scratch))
        results["resume_kills_survived"] = figure(Estimate(survived, survived, survived), target=KILLS)
        console.print(f"killed {kills} times, survived {survived}")
    for name, (difference_of_returns, note) in differences().items():
        results[f"cartpole.{name}"] = figure(difference_of_returns, target=0.0, within_interval=True) | {"note": note}
        console.print(f"CartPole, {name}: {note}")
    return results


def _exact(value: float, target: float) -> dict[str, Any]:
    return figure(Estimate(value, value, value), better="lower", target=target)
