"""The memory of a server whose visitors ask, read, choose and open pages; `STEER_SOAK_MINUTES` says how long."""

import os
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.runs import trained
from benchmarks.serving.running import Server
from benchmarks.serving.soak import memory_slope
from core.evaluation.bootstrap import Estimate
from core.evaluation.figures import figure

MINUTES, MB_PER_HOUR = 180.0, 5.0


def run(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """Growth of all processes together, and the length of the soak; no data are needed."""
    del data_dir
    minutes = float(os.environ.get("STEER_SOAK_MINUTES", MINUTES))
    with tempfile.TemporaryDirectory() as scratch, Server(trained(Path(scratch) / "runs", console)) as server:
        slope = memory_slope(server, minutes)
    console.print(f"memory grows by {slope} MB an hour in {minutes:g} minutes")
    return {
        "soak_mb_per_hour": figure(slope, better="lower", target=MB_PER_HOUR),
        "soak_minutes": figure(Estimate(minutes, minutes, minutes)),
    }
