"""One round of `steer retrain`: retrain if there is a reason to, and report the outcome."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from core.evaluation.comparison import verdict
from core.platform.retraining.candidate import OnIteration, retrain
from core.platform.retraining.drift import drifts
from core.platform.retraining.job import RetrainingJob, prepare
from core.platform.retraining.outcome import NEWEST, Outcome
from core.platform.store.schema import ModelVersion
from core.platform.versions.library import Library
from core.platform.versions.promotion import promote
from core.training.task import Task
from core.util.errors import SteerError


@dataclass(frozen=True)
class RetrainingPolicy:
    """When to retrain, and what to do with the candidate.

    Attributes:
        min_decisions: Fewest decisions with feedback that are worth it.
        on_drift: Whether inputs or outcomes must have changed.
        promote: Whether the candidate serves, unless it is measurably worse on the test set or the newest feedback.
        requested_by: Name of the person or program that asks for it.
    """

    min_decisions: int
    on_drift: bool
    promote: bool
    requested_by: str


class Progress(Protocol):
    """Callbacks for the progress of a round."""

    def say(self, text: str) -> None:
        """Show a sentence to people."""

    def training(self) -> AbstractContextManager[OnIteration]:
        """Context of the training, which gives the callback for every iteration."""

    def measured(self, job: RetrainingJob, outcome: Outcome) -> None:
        """Show what both policies earn."""


def run_once(
    task_class: type[Task],
    library: Library,
    runs: Path,
    overrides: Sequence[str],
    policy: RetrainingPolicy,
    progress: Progress,
) -> None:
    """Retrain an app if there is a reason to.

    Raises:
        SteerError: Another process is at it, nothing was trained yet, a setting is wrong, or training failed.
    """
    runs.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(runs / f".{task_class.name}.retrain.lock", timeout=0):
            job = prepare(task_class, library, runs, overrides)
            reason = _nothing_to_do(job, policy, progress)
            if reason:
                progress.say(f"{task_class.title}: {reason}; nothing to do")
            else:
                _retrain(job, policy, progress)
    except Timeout as error:
        raise SteerError(f"{task_class.name} is being retrained already; wait for that, or stop it") from error


def _nothing_to_do(job: RetrainingJob, policy: RetrainingPolicy, progress: Progress) -> str | None:
    if job.plan.settled:
        return "no feedback since the last retraining"
    since = f"since {job.base.name} was made"
    if len(job.judged) < policy.min_decisions:  # before anything large is loaded
        found = f"there is feedback about {len(job.judged)} decisions {since}"
        return f"{found}, and --min-decisions is {policy.min_decisions}"
    if policy.on_drift:
        changes = drifts(job.library.store, job.task.name, job.plan.since)
        for drift in changes:
            progress.say(str(drift))
        if not changes:
            return f"neither inputs nor outcomes have changed {since}"
    if job.decisions < policy.min_decisions:
        return (
            f"{job.decisions} of {len(job.judged)} decisions with feedback {since} can be learnt from, "
            f"and --min-decisions is {policy.min_decisions}"
        )
    return None


def _retrain(job: RetrainingJob, policy: RetrainingPolicy, progress: Progress) -> None:
    left_out = len(job.judged) - job.decisions
    progress.say(
        f"{job.task.title}: {job.decisions} decisions with feedback since {job.base.name} was made"
        + (f" ({left_out} more are left out: what they were about is gone, or words had a say)" if left_out else ""),
    )
    with progress.training() as on_iteration:
        outcome = retrain(job, on_iteration)
    progress.measured(job, outcome)
    if outcome.version is None:
        progress.say(f"nothing was better than {job.base.name} on held-out data; no version was registered")
    elif policy.promote:
        _promote(job, outcome, outcome.version, policy.requested_by, progress)
    else:
        name = f"{outcome.version.app} {outcome.version.name}"
        progress.say(f"{name} is registered: `steer models promote {name}` lets it serve")


def _promote(
    job: RetrainingJob, outcome: Outcome, version: ModelVersion, requested_by: str, progress: Progress
) -> None:
    name = f"{version.app} {version.name}"
    newest = outcome.gains()[NEWEST]
    if verdict(newest) == "worse":
        progress.say(
            f"{name} is registered and not promoted: on the {NEWEST}, its gain over the version that serves is "
            f"{newest}; `steer models promote {name}` lets it serve all the same",
        )
        return
    try:
        promote(job.library, type(job.task), version.name, requested_by)
    except SteerError as error:
        progress.say(f"{name} is registered and not promoted: {error}")
    else:
        progress.say(f"{name} is registered and serves")
