"""Other people's data: what is said of broken workspaces, what large ones take, which encoders can be adapted how."""

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.workspaces.installing import install_ratio
from benchmarks.workspaces.large import CHECKED, TRAINED, write_shop
from core.evaluation.bootstrap import Estimate
from core.evaluation.figures import figure
from testing.broken_workspaces import broken_workspaces, faults, leading_to_a_file

PEAK_GIB = 4.0
_MOST_SECONDS = 300
FAMILIES = Path("tests/core/test_encoder_families.py")
_CELLS = ("a_step_changes_what_is_trained", "what_cannot_be_is_refused")


def run(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """All figures; no data are needed."""
    del data_dir
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        by_name = _told(folder / "broken")
        console.print("not told:", *(name for name, is_told in by_name.items() if not is_told))
        passed, cells = _families(folder / "families.xml")
        results = {
            "install_ratio": _exact(install_ratio(console), better="lower"),
            "broken_workspaces_told": _exact(sum(by_name.values()), target=len(by_name)),
            "encoder_families_ok": _exact(passed, target=cells),
            "encoder_families_all": _exact(cells),
            "check_seconds_100k_rows": _exact(_check_seconds(folder / "checked"), better="lower"),
            "train_peak_gib_50k_users": _exact(_train_peak(folder), better="lower", target=PEAK_GIB),
        }
    for key, entry in results.items():
        console.print(f"{key}: {entry['value']:.2f}", highlight=False)
    return results


def _told(scratch: Path) -> dict[str, bool]:
    with leading_to_a_file() as feed:
        return {name: not faults(each, scratch / name, _wide) for name, each in broken_workspaces(feed).items()}


def _check_seconds(folder: Path) -> float:
    write_shop(folder, *CHECKED)
    started = time.perf_counter()
    _steer("check", str(folder))
    return time.perf_counter() - started


def _train_peak(folder: Path) -> float:
    """Most memory of the processes that train, GiB; the other ones so far were smaller."""
    write_shop(folder / "trained", *TRAINED)
    _steer("train", str(folder / "trained"), "--runs", str(folder / "runs"))
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def _families(report: Path) -> tuple[int, int]:
    """Families times adaptations whose test passes: those that learn, and those that are refused in one line."""
    command = [sys.executable, "-m", "pytest", "-q", "-n0", str(FAMILIES), f"--junitxml={report}"]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    cases = re.findall(r'<testcase [^>]*name="test_([^"]+)"[^>]*?(/>|>)', report.read_text(encoding="utf-8"))
    ends = [end for name, end in cases if name.startswith(_CELLS)]
    return ends.count("/>"), len(ends)


def _wide(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "core", *arguments]
    environment = os.environ | {"COLUMNS": "1000"}  # a table's cells whole
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_MOST_SECONDS, env=environment)


def _steer(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "core", *arguments], check=True, stdout=subprocess.DEVNULL)


def _exact(value: float, *, better: str = "higher", target: float | None = None) -> dict[str, Any]:
    return figure(Estimate(value, value, value), better=better, target=target)
