"""Training and registering a candidate for the next version."""

import copy
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import yaml

from core.evaluation.off_policy import weighted
from core.models.actor_critic import ActorCritic
from core.models.devices import processes
from core.platform.retraining.job import RetrainingJob, Slices, is_withdrawn
from core.platform.retraining.outcome import PROOF, Measured, Outcome, measure
from core.platform.retraining.replay import ReplayOffPolicy
from core.platform.store import versions
from core.platform.store.schema import ModelVersion
from core.platform.versions.manifest import SETTINGS
from core.platform.versions.metrics import Metrics
from core.rl.off_policy import OffPolicySettings
from core.training.measure import evaluator
from core.training.run import trained_policy
from core.training.stages import ReinforcementLearning, training_log
from core.training.task import greedy
from core.training.train import learn
from core.util.errors import SteerError
from core.util.files import write_text

OnIteration = Callable[[int, int, dict[str, float]], None]

_FINGERPRINT = "fingerprint"


def retrain(job: RetrainingJob, on_iteration: OnIteration) -> Outcome:
    """Train a candidate on the feedback and register it; what was killed goes on from its checkpoint.

    Args:
        job: Job with at least five decisions.
        on_iteration: Callback for (iteration, iterations, metrics) after every iteration.

    Raises:
        SteerError: Training failed, the disk is full, or feedback was erased meanwhile.
    """
    parts = job.slices
    assert parts is not None
    running = trained_policy(job.task, job.library.open(job.base))
    _begin(job)
    if not job.run.is_finished("rl", job.plan.fingerprint):
        _train(job, parts, copy.deepcopy(running), on_iteration)
    if is_withdrawn(job):
        raise SteerError(
            "feedback that was learnt from has been erased or withdrawn meanwhile, so no version was registered; the "
            "same command begins anew without it"
        )
    candidate = trained_policy(job.task, job.run)
    measured = measure(job.task, candidate, parts.proof)
    version = None if _are_equal(candidate, running) else _registered(job) or _register(job, measured)
    outcome = Outcome(version, measured, measure(job.task, running, parts.proof))
    name = None if version is None else version.name
    job.plan.model_copy(update={"settled": True, "candidate": name}).write(job.run.folder)
    shutil.rmtree(job.run.folder / "rl", ignore_errors=True)
    return outcome


def _begin(job: RetrainingJob) -> None:
    """Make the folder that of this plan; what an earlier one left is removed."""
    fingerprint = job.run.folder / _FINGERPRINT
    if not fingerprint.is_file() or fingerprint.read_text(encoding="utf-8") != job.plan.fingerprint:
        shutil.rmtree(job.run.folder, ignore_errors=True)
    job.plan.write(job.run.folder)
    write_text(job.run.folder / SETTINGS, yaml.safe_dump(job.task.settings.model_dump(mode="json"), sort_keys=False))
    write_text(fingerprint, job.plan.fingerprint)


def _train(job: RetrainingJob, parts: Slices, policy: ActorCritic, on_iteration: OnIteration) -> None:
    task, policy = job.task, policy.to(processes().device)
    settings = task.settings.rl
    assert isinstance(settings, OffPolicySettings)
    reference = copy.deepcopy(policy).requires_grad_(False).eval()
    measure = evaluator(task, "validation")
    held = np.arange(len(parts.held))

    def validate(trained: Any) -> float:
        old = measure(greedy(trained)).returns.mean()
        return float(old + weighted(trained, parts.held).mean(held))

    learn(
        task,
        job.run,
        ReinforcementLearning(),
        job.plan.fingerprint,
        policy,
        ReplayOffPolicy(parts.learnt, training_log(task, reference), settings, reference),
        validate=validate,
        on_iteration=lambda _, done, total, metrics: on_iteration(done, total, metrics),
    )


def _are_equal(one: ActorCritic, other: ActorCritic) -> bool:
    tensors = other.state()
    return all(torch.equal(tensor, tensors[name]) for name, tensor in one.state().items())


def _registered(job: RetrainingJob) -> ModelVersion | None:
    """The candidate, if it was registered just before a kill."""
    with job.library.store.reading() as session:
        known = versions.registered(session, job.task.name)
    for version in reversed(known):
        fingerprint = job.library.path(version) / _FINGERPRINT
        if fingerprint.is_file() and fingerprint.read_text(encoding="utf-8") == job.plan.fingerprint:
            return version
    return None


def _register(job: RetrainingJob, measured: Measured) -> ModelVersion:
    metrics = Metrics.of(measured.test, others={PROOF: measured.proof.estimate()})
    note = f"{job.base.name} retrained on the feedback about {job.decisions} decisions"
    return job.library.register(job.task, job.run, metrics, note)
