"""The road from data to a trained policy: linear baseline, supervised warm start, reinforcement learning."""

import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import yaml

from core.envs.play import play
from core.models.actor_critic import ActorCritic
from core.models.distributed import processes
from core.models.policy import Policy
from core.rl.a2c import A2C
from core.rl.algorithm import Algorithm
from core.rl.all_action import AllAction, AllActionSettings
from core.rl.grpo import GRPO
from core.rl.learner import Learner
from core.rl.off_policy import OffPolicy, OffPolicySettings
from core.rl.on_policy import OnPolicy
from core.rl.ppo import PPO
from core.rl.reinforce import Reinforce
from core.rl.supervised import Supervised
from core.rl.trpo import TRPO
from core.training.settings import Settings
from core.training.task import Task, greedy
from core.util.errors import SteerError
from core.util.files import replace_folder, write_json, write_text

Stage = Literal["linear", "supervised", "rl"]
STAGES: tuple[Stage, ...] = ("linear", "supervised", "rl")

ON_POLICY: dict[str, type[OnPolicy]] = {"ppo": PPO, "a2c": A2C, "trpo": TRPO, "reinforce": Reinforce, "grpo": GRPO}

Report = Callable[[Stage, int, int, dict[str, float]], None]
Begin = Callable[[Stage], None]


@dataclass(frozen=True)
class Run:
    """The folder of one run.

    Attributes:
        folder: holds `settings.yaml`, `fingerprint` and, for each stage, `model/`, `history.json`, `checkpoint/` and
            `tensorboard/`.
    """

    folder: Path

    def model(self, stage: Stage) -> Path:
        """Folder of a stage's trained policy."""
        return self.folder / stage / "model"

    def history(self, stage: Stage) -> list[dict[str, float]]:
        """Figures of each iteration of a finished stage."""
        return json.loads((self.folder / stage / "history.json").read_text(encoding="utf-8"))["history"]

    def belongs_to(self, fingerprint: str) -> bool:
        """Whether the folder is new, or was begun with the settings and data of `fingerprint`."""
        mark = self.folder / "fingerprint"
        return not self.folder.exists() or (mark.is_file() and mark.read_text(encoding="utf-8") == fingerprint)

    def move_aside(self) -> Path:
        """Rename the folder to the first free `NAME.before-1`, `NAME.before-2`, ... and say which."""
        number = 1
        while (aside := self.folder.with_name(f"{self.folder.name}.before-{number}")).exists():
            number += 1
        return self.folder.rename(aside)

    def is_finished(self, stage: Stage, fingerprint: str) -> bool:
        """Whether the stage was trained to the end with the settings and data of `fingerprint`."""
        done = self.folder / stage / "history.json"
        if not done.is_file() or not self.model(stage).is_dir():
            return False
        return json.loads(done.read_text(encoding="utf-8"))["fingerprint"] == fingerprint


def fingerprint(task: Task, stage: Stage | None = None) -> str:
    """Hash of everything that a run's result depends on: the task, its settings and its data.

    Args:
        task: with its settings.
        stage: leave out the settings of stages that this one does not build on.
    """
    settings = task.settings.model_dump(mode="json")
    for other in STAGES:
        if stage is not None and other != stage and (stage, other) != ("rl", "supervised"):
            del settings[other]
    content = json.dumps([task.name, settings, task.data_fingerprint()], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def train(task: Task, run: Run, report: Report, begin: Begin) -> None:
    """Train every stage that `run` does not hold yet; an interrupted stage goes on from its checkpoint.

    Args:
        task: what to train, with its settings.
        run: where to leave models and figures.
        report: told (stage, iteration, iterations, figures) after every iteration.
        begin: told the stage that begins.
    """
    if processes().is_main_process:
        write_text(run.folder / "fingerprint", fingerprint(task))
        write_text(run.folder / "settings.yaml", yaml.safe_dump(task.settings.model_dump(mode="json"), sort_keys=False))
    for stage in STAGES:
        mark = fingerprint(task, stage)
        if not run.is_finished(stage, mark):
            begin(stage)
            _train_stage(task, run, stage, mark, report)


def trained_policy(task: Task, run: Run, stage: Stage = "rl") -> ActorCritic:
    """The policy that a stage of `run` ended with, ready to decide.

    Raises:
        SteerError: the stage has not been trained yet.
    """
    if not run.model(stage).is_dir():
        raise SteerError(f"{run.folder} holds no trained {stage} policy; run `steer train {task.name}` first")
    policy = task.policy(frozen=stage == "linear")
    policy.load(run.model(stage))
    return policy.eval()


def learn(
    task: Task,
    run: Run,
    stage: Stage,
    mark: str,
    policy: Policy,
    algorithm: Algorithm,
    *,
    validate: Callable[[Policy], float],
    report: Report,
) -> None:
    """Train a policy as one stage of a run, from the stage's checkpoint on if there is one, and keep the best weights.

    Args:
        task: with its settings.
        run: where to leave the model and the figures.
        stage: whose settings count.
        mark: fingerprint of everything that the result depends on.
        policy: to begin with; is changed.
        algorithm: that changes it.
        validate: reward of a policy; the higher the better.
        report: told (stage, iteration, iterations, figures) after every iteration.
    """
    learner = Learner(
        policy,
        algorithm,
        getattr(task.settings, stage),
        validate=validate,
        folder=run.folder / stage,
        fingerprint=mark,
        seed=task.settings.seed + STAGES.index(stage),
        report=lambda done, total, figures: report(stage, done, total, figures),
    )
    history = learner.run()
    if processes().is_main_process:
        with replace_folder(run.model(stage)) as fresh:
            policy.save(fresh)
        write_json(run.folder / stage / "history.json", {"fingerprint": mark, "history": history})
    processes().wait_for_everyone()


def _train_stage(task: Task, run: Run, stage: Stage, mark: str, report: Report) -> None:
    torch.manual_seed(task.settings.seed)  # fresh heads
    policy, algorithm = _prepare(task, run, stage)
    validation = task.environment("validation")
    learn(
        task,
        run,
        stage,
        mark,
        policy,
        algorithm,
        validate=lambda trained: float(play(validation, greedy(trained)).returns.mean()),
        report=report,
    )


def _prepare(task: Task, run: Run, stage: Stage) -> tuple[ActorCritic, Algorithm]:
    settings: Settings = task.settings
    device = processes().device
    if stage != "rl":
        stage_settings = settings.linear if stage == "linear" else settings.supervised
        policy = task.policy(frozen=stage == "linear").to(device)
        return policy, Supervised(task.demonstrations("train"), stage_settings)
    policy = trained_policy(task, run, "supervised").to(device)
    reference = copy.deepcopy(policy).requires_grad_(False).eval()
    return policy, rl_algorithm(task, reference)


def rl_algorithm(task: Task, reference: Policy) -> Algorithm:
    """The algorithm that the task's settings name, over the task's training split.

    Args:
        task: what to train.
        reference: the supervised policy, frozen.
    """
    settings = task.settings.rl
    if isinstance(settings, AllActionSettings):
        return AllAction(*task.action_values(), settings, reference)
    if isinstance(settings, OffPolicySettings):
        return OffPolicy(task.logged_decisions(reference), settings, reference)
    env = task.environment("train", settings.n_envs, shuffle=True)
    return ON_POLICY[settings.algorithm](env, settings, reference)
