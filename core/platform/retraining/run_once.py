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
from core.platform.retraining.outcome import PROOF, TEST, Outcome
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
        promote: Whether the candidate serves at once, if nothing speaks against it: it earns no less on the test set
            and is not measurably worse on the votes of others.
        requested_by: Name of the person or program that asks for it.
        min_people: Fewest people whose votes may promote a candidate by themselves.
    """

    min_decisions: int
    on_drift: bool
    promote: bool
    requested_by: str
    min_people: int = 5


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


def _doubt(job: RetrainingJob, outcome: Outcome, policy: RetrainingPolicy) -> str | None:
    """Why a candidate should not serve before a person has looked at it.

    Votes may be false: on the test set, where nobody votes, even a loss within the interval is a person's to accept.
    Otherwise many small losses, each of them doubtful, would add up.
    """
    if job.votes.people < policy.min_people:
        return f"its feedback is of {job.votes.people} people, and --min-people is {policy.min_people}"
    gains = outcome.gains()
    for measured, is_worse in ((PROOF, verdict(gains[PROOF]) == "worse"), (TEST, gains[TEST].value < 0)):
        if is_worse:
            return f"on the {measured}, its gain over the version that serves is {gains[measured]}"
    return None


def _nothing_to_do(job: RetrainingJob, policy: RetrainingPolicy, progress: Progress) -> str | None:
    if job.plan.settled:
        return "no feedback since the last retraining"
    since = f"since {job.base.name} was made"
    if len(job.votes) < policy.min_decisions:  # before anything large is loaded
        found = f"there is feedback about {len(job.votes)} different decisions {since}"
        return f"{found}, and --min-decisions is {policy.min_decisions}"
    if policy.on_drift:
        changes = drifts(job.library.store, job.task.name, job.plan.since)
        for drift in changes:
            progress.say(str(drift))
        if not changes:
            return f"neither inputs nor outcomes have changed {since}"
    if job.decisions < policy.min_decisions:
        return (
            f"{job.decisions} of {len(job.votes)} different decisions with feedback {since} can be learnt from, "
            f"and --min-decisions is {policy.min_decisions}"
        )
    return None


def _retrain(job: RetrainingJob, policy: RetrainingPolicy, progress: Progress) -> None:
    left_out = len(job.judged) - job.decisions
    progress.say(
        f"{job.task.title}: {job.decisions} decisions with feedback of {job.votes.people} people since {job.base.name} "
        "was made" + (f" ({left_out} more are left out: repeated, gone, or words had a say)" if left_out > 0 else ""),
    )
    with progress.training() as on_iteration:
        outcome = retrain(job, on_iteration)
    progress.measured(job, outcome)
    if outcome.version is None:
        progress.say(f"nothing was better than {job.base.name} on held-out data; no version was registered")
    elif policy.promote:
        _promote(job, outcome, outcome.version, policy, progress)
    else:
        name = f"{outcome.version.app} {outcome.version.name}"
        progress.say(f"{name} is registered: `steer models promote {name}` lets it serve")


def _promote(
    job: RetrainingJob, outcome: Outcome, version: ModelVersion, policy: RetrainingPolicy, progress: Progress
) -> None:
    name = f"{version.app} {version.name}"
    doubt = _doubt(job, outcome, policy)
    if doubt:
        progress.say(
            f"{name} is registered and not promoted: {doubt}; `steer models promote {name}` lets it serve all the same"
        )
        return
    try:
        promote(job.library, type(job.task), version.name, policy.requested_by)
    except SteerError as error:
        progress.say(f"{name} is registered and not promoted: {error}")
    else:
        progress.say(f"{name} is registered and serves")
