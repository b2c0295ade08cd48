"""Trained runs of the apps, for benchmarks that need policies at work."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from core.cli.workflow import train_tasks
from core.training.loader import task_names
from core.util.paths import runs_dir

SHORT = ("linear.iterations=1", "supervised.iterations=3", "rl.iterations=1")


def trained(folder: Path, console: Console, names: Sequence[str] = (), overrides: Sequence[str] = SHORT) -> Path:
    """A folder with a trained run of some apps, or of all: a copy of those that there are, the others trained now.

    Args:
        folder: Folder to make.
        console: Console for the progress of the training.
        names: Names of the apps; all by default.
        overrides: Settings of those that are trained; by default they are trained shortly.
    """
    names = names or task_names()
    for name in names:
        if (runs_dir() / name / "rl" / "model").is_dir():
            shutil.copytree(runs_dir() / name, folder / name)
    missing = [name for name in names if not (folder / name).is_dir()]
    train_tasks(missing, "quick", None, overrides, folder, console)
    return folder
