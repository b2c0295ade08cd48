"""The file format of measured figures."""

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from core.evaluation.bootstrap import Estimate
from core.util.files import write_json


def figure(
    estimate: Estimate, *, better: str = "higher", target: float | None = None, within_interval: bool = False
) -> dict[str, Any]:
    """One entry of `results`; `met` is None where there is no target.

    Args:
        estimate: Measured value with its interval.
        better: Direction of improvement, `higher` or `lower`.
        target: Value to reach.
        within_interval: Whether the interval need only touch the target, as in "not lower than".
    """
    best, worst = (estimate.high, estimate.low) if within_interval else (estimate.value, estimate.value)
    met = None if target is None else (best >= target if better == "higher" else worst <= target)
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "target": target,
        "better": better,
        "met": met,
    }


def write_figures(file: Path, bench: str, seconds: float, results: dict[str, dict[str, Any]]) -> None:
    """Write a benchmark's figures with the commit, machine and command that they come from."""
    content = {
        "bench": bench,
        "commit": _commit(),
        "machine": machine(),
        "command": " ".join(["steer", *sys.argv[1:]]),
        "seconds": round(seconds, 1),
        "results": results,
    }
    write_json(file, content)


def machine() -> dict[str, Any]:
    """What the figures depend on, without the machine's name."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _commit() -> str | None:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
