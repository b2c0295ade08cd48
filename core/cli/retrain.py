"""`steer retrain`: trains the next version on feedback about the decisions of this one."""

import re
import time
from datetime import timedelta
from typing import Annotated

import typer

from core.cli.options import RunsDir, StoreUrl, console, open_store_from_options, store_url
from core.cli.versions import operator
from core.util.errors import SteerError, UnavailableError
from core.util.paths import runs_dir

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def retrain(
    name: Annotated[
        str, typer.Argument(metavar="APP", help="Name of an app, a workspace's folder, or a file with a task.")
    ],
    promote: Annotated[bool, typer.Option("--promote", help="Let the candidate serve unless it is worse.")] = False,
    every: Annotated[str | None, typer.Option(help="Interval to repeat after, such as 30m, 24h or 7d.")] = None,
    on_drift: Annotated[
        bool,
        typer.Option("--on-drift", help="Retrain only if inputs or outcomes have changed since the last version."),
    ] = False,
    min_decisions: Annotated[int, typer.Option(min=5, help="Smallest number of decisions with feedback.")] = 50,
    min_people: Annotated[int, typer.Option(min=1, help="Smallest number of people whose votes may promote.")] = 5,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Setting, such as rl.kl_coef=0.5.")] = None,
    runs: RunsDir = None,
    store: StoreUrl = None,
) -> None:
    """Train a candidate on the feedback since the version that serves was made, beside replayed old data.

    It is measured on the fixed test set and on votes of other people, and registered as a version. Stopped, the same
    command goes on where it was.
    """
    from core.cli.retrain_progress import ConsoleProgress
    from core.platform.retraining.run_once import RetrainingPolicy, run_once
    from core.platform.versions.library import VERSIONS, Library, check_trained
    from core.training.loader import load_task

    pause = interval(every) if every else None
    folder, task_class = runs or runs_dir(), load_task(name)
    check_trained([task_class.name], folder, store_url(store, folder))
    library = Library(open_store_from_options(store, runs), folder / VERSIONS)
    policy = RetrainingPolicy(min_decisions, on_drift, promote, operator(), min_people)
    while True:
        try:
            run_once(task_class, library, folder, overrides or [], policy, ConsoleProgress(console))
        except UnavailableError as error:
            if pause is None:
                raise
            console.print(f"{error.reason}; trying again in {every}", soft_wrap=True)
        if pause is None:
            return
        time.sleep(pause.total_seconds())


def interval(text: str) -> timedelta:
    """A span of time such as 30m, 24h or 7d.

    Raises:
        SteerError: It is something else.
    """
    found = re.fullmatch(r"([1-9]\d{0,4})([smhd])", text.strip())
    if found is None:
        raise SteerError(f"--every {text!r} is no interval; write for example 30m, 24h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
