"""The road from data to a trained policy: the stages that a task gives, one after the other."""

import shutil
from collections.abc import Callable

import torch
import yaml

from core.models.devices import processes
from core.models.policy import Policy
from core.rl.algorithm import Algorithm
from core.rl.learner import Learner
from core.training.measure import evaluator
from core.training.run import Run, fingerprint, reuse_stages, trained_policy
from core.training.stages import Stage
from core.training.task import Task, greedy
from core.util.errors import SteerError
from core.util.files import replace_folder, write_json, write_text

OnIteration = Callable[[str, int, int, dict[str, float]], None]
OnStageStart = Callable[[str], None]


def begin(task: Task, run: Run, *, fresh: bool = False) -> Run | None:
    """Make a run's folder ready for a task.

    A run of other settings, code or data is moved aside, never overwritten; the stages that it has finished and that do
    not depend on what has changed are taken over.

    Args:
        task: Task to train, with its settings.
        run: Run to train it in.
        fresh: Whether to start over, and take over nothing.

    Returns:
        The run that was moved aside, if there was one.
    """
    earlier = None
    if processes().is_main_process and run.folder.exists() and (fresh or not run.belongs_to(fingerprint(task))):
        earlier = run.move_aside()
        reuse_stages(task, run, [] if fresh else [earlier])
    processes().wait_for_everyone()
    return earlier


def train(task: Task, run: Run, on_iteration: OnIteration, on_stage_start: OnStageStart) -> None:
    """Train every stage that `run` does not hold yet; an interrupted stage goes on from its checkpoint.

    Args:
        task: Task to train, with its settings.
        run: Run to leave models and metrics in.
        on_iteration: Called with (stage, iteration, iterations, metrics) after every iteration.
        on_stage_start: Called with the name of each stage that begins.

    Raises:
        SteerError: The run was trained with other settings or data; or as of `core.rl.learner.Learner.run`.
    """
    if run.begun_with() not in (None, fingerprint(task)):
        raise SteerError(
            f"{run.folder} was trained with other settings or data; "
            "train with --fresh to start over, or restore the old settings."
        )
    if processes().is_main_process:
        write_text(run.folder / "fingerprint", fingerprint(task))
        write_text(run.settings, yaml.safe_dump(task.settings.model_dump(mode="json"), sort_keys=False))
    for stage in task.stages():
        if not run.is_finished(stage.name, fingerprint(task, stage)):
            on_stage_start(stage.name)
            _train_stage(task, run, stage, on_iteration)


def learn(
    task: Task,
    run: Run,
    stage: Stage,
    fingerprint: str,
    policy: Policy,
    algorithm: Algorithm,
    *,
    validate: Callable[[Policy], float],
    on_iteration: OnIteration,
) -> None:
    """Train a policy as one stage of a run, from the stage's checkpoint on if there is one, and keep its weights.

    Args:
        task: Task with its settings.
        run: Run to leave the model and the metrics in.
        stage: Stage, whose settings count.
        fingerprint: Hash of everything that the result depends on.
        policy: Policy to begin with; it is changed.
        algorithm: Algorithm that changes it.
        validate: Reward of a policy; the higher the better.
        on_iteration: Called with (stage, iteration, iterations, metrics) after every iteration.
    """
    names = [each.name for each in task.stages()]
    folder = run.folder / stage.name
    learner = Learner(
        policy,
        algorithm,
        getattr(task.settings, stage.section),
        validate=validate,
        folder=folder,
        fingerprint=fingerprint,
        seed=task.settings.seed + names.index(stage.name),
        report=lambda done, total, metrics: on_iteration(stage.name, done, total, metrics),
    )
    history = learner.run()
    kept = stage.end(task, policy, lambda name: trained_policy(task, run, name))
    if processes().is_main_process:
        with replace_folder(run.model(stage.name)) as fresh:
            kept.save(fresh)
            if stage.name == names[-1]:  # what is published; the stages before are for Steer alone
                kept.export(fresh)
        write_json(folder / "history.json", {"fingerprint": fingerprint, "history": history})
        shutil.rmtree(folder / "checkpoint", ignore_errors=True)  # a finished stage is never gone on with
    processes().wait_for_everyone()


def _train_stage(task: Task, run: Run, stage: Stage, on_iteration: OnIteration) -> None:
    torch.manual_seed(task.settings.seed)  # fresh heads
    policy: Policy
    if stage.after is None:
        policy = stage.fresh_policy(task)
    else:
        policy = stage.begin(task, trained_policy(task, run, stage.after))
    policy = policy.to(processes().device)
    validation = evaluator(task, "validation")
    learn(
        task,
        run,
        stage,
        fingerprint(task, stage),
        policy,
        stage.algorithm(task, policy),
        validate=lambda trained: float(validation(greedy(trained)).returns.mean()),
        on_iteration=on_iteration,
    )
