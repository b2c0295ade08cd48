"""One round of `steer retrain`: look whether there is anything to do, do it, and say what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from core.cli.workflow import shown_figures, training_progress
from core.evaluation.comparison import verdict
from core.platform.retraining.candidate import retrain
from core.platform.retraining.drift import drifts
from core.platform.retraining.job import Work, prepare
from core.platform.retraining.outcome import NEWEST, Outcome, outcome_table
from core.platform.store.schema import ModelVersion
from core.platform.versions.library import Library
from core.platform.versions.promotion import promote
from core.training.task import Task
from core.util.errors import SteerError


@dataclass(frozen=True)
class RetrainingPolicy:
    """When to retrain, and what to do with the candidate.

    Attributes:
        least: fewest decisions with feedback that are worth it.
        on_drift: only if inputs or outcomes have changed.
        promote: let the candidate serve, unless it is measurably worse on the test set or the newest feedback.
        who: asks for it.
    """

    least: int
    on_drift: bool
    promote: bool
    who: str


def run_once(
    kind: type[Task],
    library: Library,
    runs: Path,
    overrides: Sequence[str],
    conditions: RetrainingPolicy,
    console: Console,
) -> None:
    """Retrain an app if there is a reason to.

    Raises:
        SteerError: another process is at it, nothing was trained yet, a setting is wrong, or training failed.
    """
    runs.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(runs / f".{kind.name}.retrain.lock", timeout=0):
            work = prepare(kind, library, runs, overrides)
            reason = _nothing_to_do(work, conditions, console)
            if reason:
                _say(console, f"{kind.title}: {reason}; nothing to do")
            else:
                _retrain(work, conditions, console)
    except Timeout as error:
        raise SteerError(f"{kind.name} is being retrained already; wait for that, or stop it") from error


def _nothing_to_do(work: Work, conditions: RetrainingPolicy, console: Console) -> str | None:
    if work.plan.settled:
        return "no feedback since the last retraining"
    since = f"since {work.base.name} was made"
    if len(work.judged) < conditions.least:  # before anything large is loaded
        return f"there is feedback about {len(work.judged)} decisions {since}, and --least is {conditions.least}"
    if conditions.on_drift:
        found = drifts(work.library.store, work.task.name, work.plan.since)
        for drift in found:
            _say(console, str(drift))
        if not found:
            return f"neither inputs nor outcomes have changed {since}"
    if work.decisions < conditions.least:
        return (
            f"{work.decisions} of {len(work.judged)} decisions with feedback {since} can be learnt from, "
            f"and --least is {conditions.least}"
        )
    return None


def _retrain(work: Work, conditions: RetrainingPolicy, console: Console) -> None:
    left_out = len(work.judged) - work.decisions
    _say(
        console,
        f"{work.task.title}: {work.decisions} decisions with feedback since {work.base.name} was made"
        + (f" ({left_out} more are left out: what they were about is gone, or words had a say)" if left_out else ""),
    )
    with training_progress(console) as progress:
        bar = progress.add_task("retraining", total=None, figures="")
        outcome = retrain(
            work,
            lambda done, total, figures: progress.update(
                bar, completed=done, total=total, figures=shown_figures(figures)
            ),
        )
    console.print(outcome_table(outcome, f"{work.task.title}: {work.base.name} and the candidate"))
    if outcome.version is None:
        _say(console, f"nothing was better than {work.base.name} on held-out data; no version was registered")
    elif conditions.promote:
        _promote(work, outcome, outcome.version, conditions.who, console)
    else:
        name = f"{outcome.version.app} {outcome.version.name}"
        _say(console, f"{name} is registered: `steer models promote {name}` lets it serve")


def _promote(work: Work, outcome: Outcome, version: ModelVersion, who: str, console: Console) -> None:
    name = f"{version.app} {version.name}"
    newest = outcome.gains()[NEWEST]
    if verdict(newest) == "worse":
        _say(
            console,
            f"{name} is registered and not promoted: on the {NEWEST}, its gain over the version that serves is "
            f"{newest}; `steer models promote {name}` lets it serve all the same",
        )
        return
    try:
        promote(work.library, type(work.task), version.name, who)
    except SteerError as error:
        _say(console, f"{name} is registered and not promoted: {error}")
    else:
        _say(console, f"{name} is registered and serves")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
