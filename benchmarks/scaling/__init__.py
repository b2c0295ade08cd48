"""What a step of training costs: texts a second and memory against batch size, length, and layers trained."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from core.evaluation.bootstrap import Estimate
from core.evaluation.figures import figure

ROOT = Path(__file__).parents[2]
USUAL = {"batch": 64, "length": 32, "layers": 2}
SWEEPS = {
    "batch": (1, 4, 16, 64, 256),
    "length": (8, 16, 32, 64, 128, 256),
    "layers": (1, 2, 3, 4, 5, 6),
}


def run(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """All figures; no data are needed."""
    del data_dir
    results = {}
    for name, values in SWEEPS.items():
        for value in values:
            rates, mebibytes = _measured(USUAL | {name: value})
            results[f"texts_a_second.{name}_{value}"] = figure(Estimate(sorted(rates)[1], min(rates), max(rates)))
            memory = Estimate(mebibytes, mebibytes, mebibytes)
            results[f"peak_mebibytes.{name}_{value}"] = figure(memory, better="lower")
            console.print(f"{name} {value}: {sorted(rates)[1]:.0f} texts a second, {mebibytes:.0f} MiB")
    return results


def _measured(cell: dict[str, int]) -> tuple[list[float], float]:
    """In a process of its own, whose memory is this cell's alone."""
    arguments = [str(cell[name]) for name in USUAL]
    command = [sys.executable, "-m", "benchmarks.scaling.cell", *arguments]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    return measured["texts_a_second"], measured["peak_mebibytes"]
