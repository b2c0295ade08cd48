"""The process of a job, `python -m core.platform.jobs.process FOLDER RUNS`: trains a workspace and evaluates it.

It writes a line of JSON to its output whenever it is further, and ends when its input does: with its server.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from core.platform.jobs.progress import EVALUATION, Progress, StageProgress
from core.training.evaluate import compare, save_comparison, saved_comparison
from core.training.loader import load_task
from core.training.run import Run
from core.training.settings import load_settings
from core.training.task import Task
from core.training.train import begin, train
from core.util.errors import SteerError

_NICENESS = 10  # whoever asks a page something goes first


def work(folder: Path, runs: Path, tell: Callable[[Progress], None]) -> None:
    """Train a workspace, from where it was left, and measure it; what is done already is not done again.

    Args:
        folder: Folder of the workspace.
        runs: Folder of the runs.
        tell: Function that is called with the progress whenever there is some.

    Raises:
        SteerError: The workspace, its data or its settings are wrong.
    """
    task_class = load_task(str(folder))
    runs.mkdir(parents=True, exist_ok=True)
    # A process whose server lost the job while it was stopped may still be at it.
    with FileLock(runs / f".{task_class.name}.train.lock"):
        task = task_class(load_settings(task_class.presets[task_class.preset]))
        run = Run(runs / task_class.name)
        begin(task, run)
        progress = _train(task, run, tell).started(EVALUATION)
        tell(progress)
        if saved_comparison(task, run) is None:
            save_comparison(task, run, compare(task, run))
        tell(progress.updated(EVALUATION, done=1).ended())


def _train(task: Task, run: Run, tell: Callable[[Progress], None]) -> Progress:
    stages = [StageProgress(name=each.name, total=_iterations(task, each.section)) for each in task.stages()]
    progress = Progress(stages=[*stages, StageProgress(name=EVALUATION)])
    tell(progress)
    clock = time.monotonic()

    def on_stage_start(stage: str) -> None:
        nonlocal progress, clock
        progress, clock = progress.started(stage), time.monotonic()
        tell(progress)

    def on_iteration(stage: str, done: int, total: int, metrics: dict[str, float]) -> None:
        nonlocal progress, clock
        seconds, clock = time.monotonic() - clock, time.monotonic()
        reward, left = metrics.get("validation_reward"), seconds * (total - done)
        progress = progress.updated(stage, done=done, total=total, reward=reward, seconds_left=left)
        tell(progress)

    train(task, run, on_iteration, on_stage_start)
    return progress


def _iterations(task: Task, section: str) -> int:
    iterations: int = getattr(task.settings, section).iterations
    return iterations


def _end_with_server() -> None:
    os.read(0, 1)  # until the other end is closed, however the server ended; `sys.stdin` would hold up a good end
    os._exit(1)


def main() -> None:
    """Do the job that the arguments name; an error that the user can mend is a line, and ends with status 2."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is for the server's log
    threading.Thread(target=_end_with_server, daemon=True).start()
    os.nice(_NICENESS)

    def write(**line: object) -> None:
        print(json.dumps(line), file=lines, flush=True)

    try:
        work(Path(sys.argv[1]), Path(sys.argv[2]), lambda progress: write(progress=progress.model_dump()))
    except SteerError as error:
        write(error=str(error))
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
