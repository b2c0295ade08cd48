"""Decisions beside every baseline: what the apps' labels are worth on data that they were never trained on."""

from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.decisions.labels import label_figures


def run(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """All figures, on the data sets that lie in `data_dir`."""
    return label_figures(data_dir, console)
