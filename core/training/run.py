"""The folder of a run: what was trained, with which settings, code and data."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.rl.settings import StageSettings
from core.training.source import source_fingerprint
from core.training.stages import Stage
from core.training.task import PolicyT, Task
from core.util.errors import SteerError
from core.util.files import replace_folder


@dataclass(frozen=True)
class Run:
    """The folder of one run.

    Attributes:
        folder: Folder with `settings.yaml`, `fingerprint` and, for each stage, `model/`, `history.json`, `tensorboard/`
            and, until the stage has ended, `checkpoint/`.
    """

    folder: Path

    def model(self, stage: str) -> Path:
        """Folder of a stage's trained policy."""
        return self.folder / stage / "model"

    def history(self, stage: str) -> list[dict[str, float]]:
        """Metrics of each iteration of a finished stage."""
        return json.loads((self.folder / stage / "history.json").read_text(encoding="utf-8"))["history"]

    @property
    def settings(self) -> Path:
        """File of the settings that the run was trained with."""
        return self.folder / "settings.yaml"

    @property
    def episodes(self) -> Path:
        """File of the episodes that an evaluation leaves."""
        return self.folder / "episodes.json"

    def belongs_to(self, fingerprint: str) -> bool:
        """Whether the folder is new, or was begun with the settings, code and data of `fingerprint`."""
        return not self.folder.exists() or self.begun_with() == fingerprint

    def begun_with(self) -> str | None:
        """Fingerprint of the settings, code and data that the run was begun with; None before it was begun."""
        file = self.folder / "fingerprint"
        return file.read_text(encoding="utf-8") if file.is_file() else None

    def move_aside(self) -> "Run":
        """Rename the folder to the first free `NAME.before-1`, `NAME.before-2`, ... and say which."""
        number = 1
        while (aside := self.folder.with_name(f"{self.folder.name}.before-{number}")).exists():
            number += 1
        return Run(self.folder.rename(aside))

    def is_finished(self, stage: str, fingerprint: str) -> bool:
        """Whether the stage was trained to the end with the settings, code and data of `fingerprint`."""
        done = self.folder / stage / "history.json"
        if not done.is_file() or not self.model(stage).is_dir():
            return False
        return json.loads(done.read_text(encoding="utf-8"))["fingerprint"] == fingerprint


def fingerprint(task: Task, stage: Stage | None = None) -> str:
    """Hash of everything that a run's result depends on: the task's settings, its code and its data.

    Args:
        task: Task with its settings.
        stage: Stage whose own result is meant; the settings of stages that it does not build on are then left out.
            The reward counts for every stage: it chooses the best iteration.
    """
    settings = task.settings.model_dump(mode="json")
    if stage is not None:
        for section in _stage_sections(task) - _built_on(task, stage):
            del settings[section]
    content = [task.name, settings, task.data_fingerprint(), source_fingerprint(type(task))]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def reuse_stages(task: Task, run: Run, earlier: Iterable[Run]) -> None:
    """Take over the stages that an earlier run has finished with the same settings, code and data.

    Args:
        task: Task with its settings.
        run: Run that is to be trained.
        earlier: Runs in neighbouring folders. Their files are linked, not copied: no file of a run is written twice.

    Raises:
        SteerError: The disk is full.
    """
    for stage in task.stages():
        wanted = fingerprint(task, stage)
        done = next((other for other in earlier if other.is_finished(stage.name, wanted)), None)
        if done is not None and not (run.folder / stage.name).exists():
            with replace_folder(run.folder / stage.name) as fresh:
                shutil.copytree(done.folder / stage.name, fresh, copy_function=_link, dirs_exist_ok=True)


def trained_policy(task: Task[PolicyT], run: Run, stage: str = "rl") -> PolicyT:
    """The policy that a stage of `run` ended with, ready to decide.

    Raises:
        SteerError: The stage has not been trained yet.
    """
    if not run.model(stage).is_dir():
        raise SteerError(f"{run.folder} holds no trained {stage} policy; run `steer train {task.name}` first")
    policy = next(each for each in task.stages() if each.name == stage).fresh_policy(task)
    policy.load(run.model(stage))
    return policy.eval()


def _stage_sections(task: Task) -> set[str]:
    return {name for name, section in task.settings if isinstance(section, StageSettings)}


def _built_on(task: Task, stage: Stage) -> set[str]:
    by_name = {each.name: each for each in task.stages()}
    sections = {stage.section}
    while stage.after is not None:
        stage = by_name[stage.after]
        sections.add(stage.section)
    return sections


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # some file systems have no hard links
        shutil.copy2(source, target)
