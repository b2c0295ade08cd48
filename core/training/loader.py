"""Finds a task by its name, its file or its workspace, and opens it with the settings of a run."""

import importlib.util
import inspect
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeVar

from core.training.run import Run
from core.training.settings import load_settings, merge_settings, read_settings
from core.training.task import Task
from core.training.workspace import FILE, read_config, read_workspace
from core.util.errors import SteerError

TaskT = TypeVar("TaskT", bound=Task)


def load_task(name: str) -> type[Task]:
    """The task class that `name` stands for.

    Apps register themselves under the entry-point group `steer.tasks`.

    Args:
        name: Name of an installed app, whose workspace is the shipped example; folder with a workspace; or Python file
            with one `Task` in it.

    Raises:
        SteerError: There is no such app, folder or file, or what is there is wrong.
    """
    if name.endswith(".py"):
        return _task_in_file(Path(name))
    found = {entry.name: entry for entry in entry_points(group="steer.tasks")}
    key = name.replace("-", "_")
    if key in found:
        return found[key].load()
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _task_of_workspace(folder.resolve())
    raise SteerError(
        f"there is no app {name!r}; there are {', '.join(sorted(found))}. A folder with a {FILE}, or a Python file "
        "with a task, can be named as well"
    )


def task_names() -> list[str]:
    """Names of the installed apps' tasks."""
    return sorted(entry.name for entry in entry_points(group="steer.tasks"))


def open_task(task_class: type[TaskT], run: Run) -> TaskT:
    """The task with the settings that its run was trained with.

    Raises:
        SteerError: There is no such run.
    """
    if not run.settings.is_file():
        source = task_class.source or task_class.name
        raise SteerError(f"{task_class.name} has not been trained in {run.folder}; run `steer train {source}` first")
    return task_class(load_settings(read_settings(run.settings)))


def _task_of_workspace(folder: Path) -> type[Task]:
    app = read_config(folder).get("app")
    apps = [name for name in task_names() if load_task(name).config is not None]
    if app not in apps:
        raise SteerError(f"{folder / FILE}: app: must be one of {', '.join(apps)} (got {app!r})")
    base = load_task(app)
    assert base.config is not None
    workspace = read_workspace(folder, base.config)
    config = workspace.config
    if config.name in task_names():
        raise SteerError(f"{folder / FILE}: name: {config.name} is an app's own name; choose another")
    own = {
        "__module__": base.__module__,
        "__doc__": base.__doc__,
        "name": config.name,
        "title": config.title or config.name,
        "data_card": f"The workspace {config.name}: {config.summary or 'data of a company of its own'}.\n",
        "preset": config.preset,
        "presets": {name: merge_settings(preset, config.settings) for name, preset in base.presets.items()},
        "source": str(folder),
        "workspace": workspace,
    }
    return type(base.__name__, (base,), own)


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
    tasks[0].source = str(path.resolve())
    return tasks[0]
