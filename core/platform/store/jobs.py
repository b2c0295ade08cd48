"""The queue of workspaces to train: each job is taken by one server at a time, and taken over from one that is gone."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, or_, select, update
from sqlalchemy.orm import Session

from core.platform.store import versions
from core.platform.store.schema import Job, new_id, now

LEASE = timedelta(seconds=15)
"""Time without a sign of life after which a job is another server's to take over."""

OPEN = ("queued", "running")
_MOST_ATTEMPTS = 5


def enqueue(session: Session, workspace: str, owner: str) -> Job:
    """A new job for a workspace; the one that waits or runs already, if there is one."""
    versions.reserve(session, workspace)
    job = newest(session, workspace)
    if job is None or job.state not in OPEN:
        job = Job(id=new_id(), workspace=workspace, owner=owner, created=now())
        session.add(job)
        session.flush()
    return job


def newest(session: Session, workspace: str) -> Job | None:
    """The last job of a workspace."""
    wanted = select(Job).where(Job.workspace == workspace).order_by(Job.created.desc()).limit(1)
    return session.scalars(wanted).one_or_none()


def is_any_free(session: Session) -> bool:
    """Whether `take` would find a job."""
    return session.scalar(select(Job.id).where(_free()).limit(1)) is not None


def take(session: Session, runner: str) -> Job | None:
    """The oldest job that nobody is at, which is the runner's from now on; None where there is none.

    A job that was taken again and again and never ended takes its servers down, and fails.
    """
    free = select(Job).where(_free()).order_by(Job.created).limit(1)
    job = session.scalars(free.with_for_update(skip_locked=True)).one_or_none()
    if job is None:
        return None
    if job.attempts >= _MOST_ATTEMPTS:
        job.state, job.ended = "failed", now()
        job.error = f"The server stopped {_MOST_ATTEMPTS} times over it; is there memory enough? See its log."
        return None
    job.state, job.runner, job.seen, job.attempts = "running", runner, now(), job.attempts + 1
    job.started = job.started or job.seen
    return job


def is_mine(session: Session, job_id: str, runner: str, progress: Mapping[str, Any]) -> bool:
    """Note how far a job is; whether the runner is still to go on with it, or it was cancelled or taken over."""
    return _change(session, job_id, runner, progress=dict(progress), seen=now())


def end(session: Session, job_id: str, runner: str, error: str = "") -> None:
    """Note that the runner has ended a job, unless it is not the runner's any more."""
    _change(session, job_id, runner, state="failed" if error else "done", error=error, ended=now())


def give_back(session: Session, job_id: str, runner: str) -> None:
    """Put a job back into the queue, unless it is not the runner's any more; this was no attempt."""
    _change(session, job_id, runner, state="queued", attempts=Job.attempts - 1)


def cancel(session: Session, workspace: str) -> None:
    """Cancel the job of a workspace that waits or runs, if there is one."""
    open_one = (Job.workspace == workspace) & Job.state.in_(OPEN)
    session.execute(update(Job).where(open_one).values(state="cancelled", ended=now()))


def _free() -> ColumnElement[bool]:
    return or_(Job.state == "queued", (Job.state == "running") & (Job.seen < now() - LEASE))


def _change(session: Session, job_id: str, runner: str, **values: Any) -> bool:
    mine = (Job.id == job_id) & (Job.runner == runner) & (Job.state == "running")
    found = session.execute(update(Job).where(mine).values(**values), execution_options={"synchronize_session": False})
    assert isinstance(found, CursorResult)
    return bool(found.rowcount)
