"""What went wrong once, and does no more: each fault's test, crashes, erasure, false votes, memory, attacks."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks import soak
from benchmarks.faults.erasure import erased_words_found
from benchmarks.faults.histories import identical_histories
from benchmarks.faults.poison import poison_gain
from benchmarks.faults.rows import mended
from benchmarks.serving.attacks import attacks
from core.evaluation.bootstrap import Estimate, bootstrap_mean
from core.evaluation.figures import figure

HISTORIES, SEEDS = 200, 3
FALSE_VOTERS, POISON_GAIN = (1, 5, 20), -0.005


def run(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """All figures; no data are needed."""
    del data_dir
    soaked = soak.run(None, console)
    rows = mended(is_soak_met=soaked["soak_mb_per_hour"]["met"])
    results = soaked | {"rows_mended": _exact(rows.mended, target=rows.total), "rows_now": _exact(rows.total)}
    console.print(f"{rows.mended} of {rows.total} faults stay mended", *rows.broken, sep="\n")
    results["histories_identical"] = _exact(identical_histories(HISTORIES), target=HISTORIES)
    for voters in FALSE_VOTERS:
        gain = bootstrap_mean(np.array([poison_gain(voters, seed) for seed in range(SEEDS)]))
        results[f"poison_gain.{voters}"] = figure(gain, target=POISON_GAIN)
    with tempfile.TemporaryDirectory() as scratch:
        results["erased_words_found"] = _exact(erased_words_found(Path(scratch)), better="lower", target=0)
    tried = attacks()
    results["attacks_blocked"] = _exact(tried.passed, target=tried.total)
    results["attacks"] = _exact(tried.total)
    return results


def _exact(value: float, *, better: str = "higher", target: float | None = None) -> dict[str, Any]:
    return figure(Estimate(value, value, value), better=better, target=target)
