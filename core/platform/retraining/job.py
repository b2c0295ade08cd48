"""One retraining: the running version, and the feedback that has come since it was made."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from core.platform.retraining.plan import Plan
from core.platform.retraining.votes import Votes, count_votes
from core.platform.store import decisions
from core.platform.store.schema import ModelVersion, now
from core.platform.versions.library import Library
from core.platform.versions.manifest import SETTINGS
from core.rl.off_policy import LoggedDecisions
from core.training.feedback import DecisionWithFeedback
from core.training.run import Run
from core.training.settings import load_settings, read_settings
from core.training.task import Task

# Tapered off-policy REINFORCE (`core.rl.off_policy`): many passes over few decisions stay stable.
DEFAULTS = (
    "rl.algorithm=off_policy",
    "rl.is_weight_min=1",
    "rl.is_weight_max=1",
    "rl.baseline=0",
    "rl.ent_coef=0",
    "rl.kl_coef=1",
    "rl.iterations=8",
    "rl.patience=3",
)


@dataclass(frozen=True)
class Slices:
    """Feedback by its use, see `Votes`.

    Attributes:
        learnt: Decisions that the candidate is trained on.
        held: Decisions that say when to stop, with the task's validation split.
        proof: Decisions that the candidate is measured on.
    """

    learnt: LoggedDecisions
    held: LoggedDecisions
    proof: LoggedDecisions


@dataclass(frozen=True)
class RetrainingJob:
    """What a retraining learns from, and where.

    Attributes:
        library: Library with the versions.
        base: Version that serves.
        task: Task with the settings of the retraining.
        judged: Decisions with feedback since the version was made, oldest first.
        plan: Plan on disk, by which a killed retraining goes on.
        run: Run in which the candidate is trained.
    """

    library: Library
    base: ModelVersion
    task: Task
    judged: list[DecisionWithFeedback]
    plan: Plan
    run: Run

    @cached_property
    def votes(self) -> Votes:
        """The votes that count, by their use."""
        return count_votes(self.judged, self.base.name)

    @cached_property
    def slices(self) -> Slices | None:
        """The decisions that can be learnt from; None where a group has none."""
        groups = (self.votes.learnt, self.votes.held, self.votes.proof)
        logs = [self.task.feedback_decisions(rows) if rows else None for rows in groups]
        learnt, held, proof = logs
        return None if learnt is None or held is None or proof is None else Slices(learnt, held, proof)

    @property
    def decisions(self) -> int:
        """Number of decisions that can be learnt from."""
        return 0 if self.slices is None else sum(map(len, vars(self.slices).values()))


def prepare(task_class: type[Task], library: Library, runs: Path, overrides: Sequence[str]) -> RetrainingJob:
    """What there is to learn for an app; a retraining that was killed goes on with the feedback that it had.

    Args:
        task_class: Task of the app.
        library: Library with the versions; without one, the app's trained run becomes the first.
        runs: Folder of the runs.
        overrides: Settings such as rl.kl_coef=0.5, over `DEFAULTS` and the version's own.

    Raises:
        SteerError: Nothing was trained yet, or a setting is wrong.
    """
    base = library.adopt(task_class, runs, "steer retrain")
    version = read_settings(library.path(base) / SETTINGS)
    task = task_class(load_settings(version, overrides=[*DEFAULTS, *overrides]))
    run = Run(runs / f"{task_class.name}.retrain")

    known = Plan.read(run.folder)
    since = known.feedback_of(base) if known is not None else base.created

    def job(until: datetime) -> RetrainingJob:
        with library.store.reading() as session:
            judged = decisions.judged(session, task_class.name, since, until)
        fingerprint = _fingerprint(base, task, judged)
        plan = Plan(base=base.name, since=since, until=until, fingerprint=fingerprint)
        return RetrainingJob(library, base, task, judged, plan, run)

    if known is not None and not known.settled:
        begun = job(known.until)
        if begun.plan == known:
            return begun
    fresh = job(now())
    if known is not None and known.fingerprint == fresh.plan.fingerprint:
        return replace(fresh, plan=known)
    return fresh


def is_withdrawn(job: RetrainingJob) -> bool:
    """Whether feedback that a retraining learns from has been erased or withdrawn since it began."""
    with job.library.store.reading() as session:
        kept = decisions.judged(session, job.task.name)
    return not _opinions(job.judged) <= _opinions(kept)


def _opinions(judged: Sequence[DecisionWithFeedback]) -> set[tuple[str, str, str]]:
    return {(row.decision.id, each.owner, each.subject) for row in judged for each in row.feedback}


def _fingerprint(base: ModelVersion, task: Task, judged: Sequence[DecisionWithFeedback]) -> str:
    feedback = [[row.decision.id, [[f.owner, f.subject, f.value, f.about] for f in row.feedback]] for row in judged]
    version = [task.name, base.name, base.created.isoformat()]
    content = [version, task.settings.model_dump(mode="json"), task.data_fingerprint(), feedback]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
