"""Training and registering a candidate for the next version."""

import copy
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import yaml

from core.envs.play import play
from core.evaluation.logged import weighted
from core.models.actor_critic import ActorCritic
from core.models.distributed import processes
from core.platform.retraining.job import Slices, Work, slices
from core.platform.retraining.outcome import NEWEST, Measured, Outcome, measure
from core.platform.retraining.replay import ReplayOffPolicy
from core.platform.store import versions
from core.platform.store.schema import ModelVersion
from core.platform.versions.manifest import SETTINGS
from core.platform.versions.metrics import Metrics
from core.rl.off_policy import OffPolicySettings
from core.training.run import learn, trained_policy
from core.training.task import greedy
from core.util.files import write_text

Report = Callable[[int, int, dict[str, float]], None]

_FINGERPRINT = "fingerprint"


def retrain(work: Work, report: Report) -> Outcome:
    """Train a candidate on the feedback and register it; what was killed goes on from its checkpoint.

    Args:
        work: with at least five decisions.
        report: told (iteration, iterations, figures) after every iteration.

    Raises:
        SteerError: training failed, or the disk is full.
    """
    assert work.log is not None
    parts = slices(work.log)
    running = trained_policy(work.task, work.library.open(work.base))
    _begin(work)
    if not work.run.is_finished("rl", work.plan.fingerprint):
        _train(work, parts, copy.deepcopy(running), report)
    candidate = trained_policy(work.task, work.run)
    measured = measure(work.task, candidate, parts.newest)
    version = None if _are_equal(candidate, running) else _registered(work) or _register(work, measured)
    outcome = Outcome(version, measured, measure(work.task, running, parts.newest))
    name = None if version is None else version.name
    work.plan.model_copy(update={"settled": True, "candidate": name}).write(work.run.folder)
    shutil.rmtree(work.run.folder / "rl", ignore_errors=True)
    return outcome


def _begin(work: Work) -> None:
    """Make the folder that of this plan; what an earlier one left is removed."""
    mark = work.run.folder / _FINGERPRINT
    if not mark.is_file() or mark.read_text(encoding="utf-8") != work.plan.fingerprint:
        shutil.rmtree(work.run.folder, ignore_errors=True)
    work.plan.write(work.run.folder)
    write_text(work.run.folder / SETTINGS, yaml.safe_dump(work.task.settings.model_dump(mode="json"), sort_keys=False))
    write_text(mark, work.plan.fingerprint)


def _train(work: Work, parts: Slices, policy: ActorCritic, report: Report) -> None:
    task, policy = work.task, policy.to(processes().device)
    settings = task.settings.rl
    assert isinstance(settings, OffPolicySettings)
    reference = copy.deepcopy(policy).requires_grad_(False).eval()
    validation = task.environment("validation")
    held = np.arange(len(parts.held))

    def validate(trained: Any) -> float:
        old = play(validation, greedy(trained)).returns.mean()
        return float(old + weighted(trained, parts.held).mean(held))

    learn(
        task,
        work.run,
        "rl",
        work.plan.fingerprint,
        policy,
        ReplayOffPolicy(parts.learnt, task.logged_decisions(reference), settings, reference),
        validate=validate,
        report=lambda _, done, total, figures: report(done, total, figures),
    )


def _are_equal(one: ActorCritic, other: ActorCritic) -> bool:
    tensors = other.state()
    return all(torch.equal(tensor, tensors[name]) for name, tensor in one.state().items())


def _registered(work: Work) -> ModelVersion | None:
    """The candidate, if it was registered just before a kill."""
    with work.library.store.reading() as session:
        known = versions.registered(session, work.task.name)
    for version in reversed(known):
        mark = work.library.path(version) / _FINGERPRINT
        if mark.is_file() and mark.read_text(encoding="utf-8") == work.plan.fingerprint:
            return version
    return None


def _register(work: Work, measured: Measured) -> ModelVersion:
    metrics = Metrics.of(measured.test, others={NEWEST: measured.newest.estimate()})
    note = f"{work.base.name} retrained on the feedback about {work.decisions} decisions"
    return work.library.register(work.task, work.run, metrics, note)
