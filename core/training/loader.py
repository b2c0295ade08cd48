"""Finds a task by its name or its file, and opens it with the settings of a run."""

import importlib.util
import inspect
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeVar

from core.training.run import Run
from core.training.settings import load_settings, read_settings
from core.training.task import Task
from core.util.errors import SteerError

TaskT = TypeVar("TaskT", bound=Task)


def load_task(name: str) -> type[Task]:
    """The task class that `name` stands for: an installed app's name, or a Python file with one `Task` in it.

    Apps register themselves under the entry-point group `steer.tasks`.

    Raises:
        SteerError: There is no such app or file, or the file holds no task.
    """
    if name.endswith(".py"):
        return _task_in_file(Path(name))
    found = {entry.name: entry for entry in entry_points(group="steer.tasks")}
    key = name.replace("-", "_")
    if key not in found:
        raise SteerError(f"there is no task {name!r}; there are {', '.join(sorted(found))}, or name a Python file")
    return found[key].load()


def task_names() -> list[str]:
    """Names of the installed apps' tasks."""
    return sorted(entry.name for entry in entry_points(group="steer.tasks"))


def open_task(task_class: type[TaskT], run: Run) -> TaskT:
    """The task with the settings that its run was trained with.

    Raises:
        SteerError: There is no such run.
    """
    if not run.settings.is_file():
        raise SteerError(
            f"{task_class.name} has not been trained in {run.folder}; run `steer train {task_class.name}` first"
        )
    return task_class(load_settings(read_settings(run.settings)))


def _task_in_file(path: Path) -> type[Task]:
    if not path.is_file():
        raise SteerError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(f"own_task_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise SteerError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # where dataclasses, and the fingerprint of its source, look for it
    spec.loader.exec_module(module)
    tasks = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Task) and member.__module__ == module.__name__ and not inspect.isabstract(member)
    ]
    if len(tasks) != 1:
        raise SteerError(
            f"{path} must define exactly one complete subclass of core.training.task.Task; it defines {len(tasks)}"
        )
    return tasks[0]
