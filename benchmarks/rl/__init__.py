"""RL on BANKING77: speed beside Stable-Baselines3, every algorithm's reward, and where RL earns its place."""

from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.rl.algorithms import every_algorithm
from benchmarks.rl.conditions import every_condition
from benchmarks.rl.speed import efficiency, throughput, time_to_reward
from benchmarks.rl.task import load


def run(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """All figures, on the BANKING77 that lies in `data_dir`."""
    train, validation, test = load(data_dir)
    return {
        **efficiency(train, console),
        **throughput(train, console),
        **time_to_reward(train, validation, console),
        **every_algorithm(train, validation, test, console),
        **every_condition(train, validation, test, console),
    }
