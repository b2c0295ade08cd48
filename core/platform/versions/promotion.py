"""Promotion of versions, which refuses a worse one, and rollback."""

from collections.abc import Sequence

import numpy as np

from core.evaluation.bootstrap import paired_gain
from core.platform.store import versions
from core.platform.store.schema import ModelVersion, Promotion
from core.platform.versions.library import Library
from core.platform.versions.metrics import Metrics
from core.training.loader import open_task
from core.training.run import trained_policy
from core.training.task import Task
from core.util.errors import SteerError


def promote(library: Library, task_class: type[Task], name: str, requested_by: str, reason: str = "") -> Promotion:
    """Let a version serve; servers that run take it up by themselves.

    Its policy is opened once before: a server that is started later would find nothing else that it could serve.

    Args:
        library: Library with the version.
        task_class: Task of the app.
        name: Name of the version.
        requested_by: Name of the person or program that asks for it.
        reason: Reason to let it serve although it is measurably worse than the one that does; without one it is
            refused.

    Raises:
        SteerError: There is no such version, it serves already, its files were changed, nobody measured it, its policy
            does not open, or it is worse and no reason is given.
    """
    app = task_class.name
    version = library.version(app, name)
    run = library.open(version)
    if Metrics.model_validate(version.metrics).reward is None:
        raise SteerError(
            f"nobody measured what {app} {name} earns; run `steer evaluate {app}` and `steer models publish {app}`"
        )
    trained_policy(open_task(task_class, run), run)
    with library.store.transaction() as session:
        versions.reserve(session, app)
        serving = versions.current(session, app)
        if serving is not None and serving.name == name:
            raise SteerError(f"{app} {name} serves already")
        fault = None if serving is None else worse(version, serving)
        if fault and not reason:
            raise SteerError(f"{fault}; promote it with --reason if you want it nevertheless")
        return versions.promote(session, version, requested_by, reason)


def rollback(library: Library, app: str, requested_by: str) -> Promotion:
    """Let the version serve that served before the present one; recorded as a promotion.

    Rolling back again goes one version further back, never forward to the one that was left.

    Args:
        library: Library with the versions.
        app: Name of the app.
        requested_by: Name of the person or program that asks for it.

    Raises:
        SteerError: There is no earlier version, or its files were changed.
    """
    with library.store.transaction() as session:
        versions.reserve(session, app)
        line = _line([promotion.version for promotion in versions.history(session, app)])
        if len(line) < 2:
            raise SteerError(f"{app} has no earlier version to go back to; see `steer models list {app}`")
        version = versions.find(session, app, line[-2])
        assert version is not None  # versions are never removed
        library.open(version)
        return versions.promote(session, version, requested_by, f"rollback from {line[-1]}")


def worse(candidate: ModelVersion, serving: ModelVersion) -> str | None:
    """In which way the candidate is worse than the version that serves, beyond the interval; None if it is not.

    Returns on the same episodes are compared episode by episode (`core.evaluation.bootstrap.paired_gain`); others by
    the candidate's mean and the lower end of the serving version's interval.
    """
    new, old = Metrics.model_validate(candidate.metrics), Metrics.model_validate(serving.metrics)
    if new.reward is None or old.reward is None:
        return None
    names = f"{candidate.app} {candidate.name}", f"{serving.name}, which serves"
    if candidate.fingerprint == serving.fingerprint and len(new.returns) == len(old.returns):
        gain = paired_gain(np.array(new.returns), np.array(old.returns))
        if gain.high >= 0:
            return None
        return f"{names[0]} is worse than {names[1]}, by {gain} on the same {len(new.returns)} test episodes"
    if new.reward.value >= old.reward.low:
        return None
    return f"{names[0]} earns {new.reward.value:.3f}, less than {names[1]} and earns {old.reward}"


def _line(promoted: Sequence[str]) -> list[str]:
    """The versions that led to the one that serves: going back to the last but one takes the last out of the line."""
    line: list[str] = []
    for name in promoted:
        if name in line[-2:-1]:
            line.pop()
        else:
            line.append(name)
    return line
