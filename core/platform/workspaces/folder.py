"""The folder of a workspace that was made on the page: its `steer.yaml`, and below `data/` the files of its tables."""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, get_args

import yaml

from core.training.loader import load_task, task_names
from core.training.task import Task
from core.training.workspace import FILE, SCHEMA, Table, WorkspaceConfig, read_config
from core.util.errors import SteerError
from core.util.files import replace_folder, write_json, write_text

_DATA = "data"


def workspace_tasks() -> dict[str, type[Task]]:
    """The tasks of the apps that take workspaces, by name."""
    tasks = {name: load_task(name) for name in task_names()}
    return {name: task for name, task in tasks.items() if task.config is not None}


def config_class(content: Mapping[str, Any]) -> type[WorkspaceConfig]:
    """The model of a `steer.yaml`, by the app that it names.

    Raises:
        SteerError: It names none.
    """
    tasks, app = workspace_tasks(), content.get("app")
    if app not in tasks:
        raise SteerError(f"app: must be one of {', '.join(tasks)} (got {app!r})")
    schema = tasks[app].config
    assert schema is not None
    return schema


def table_keys(schema: type[WorkspaceConfig]) -> dict[str, str]:
    """The keys under which a `steer.yaml` names tables, each with its description."""

    def is_table(annotation: Any) -> bool:
        kinds = get_args(annotation) or (annotation,)
        return any(isinstance(kind, type) and issubclass(kind, Table) for kind in kinds)

    return {name: info.description or "" for name, info in schema.model_fields.items() if is_table(info.annotation)}


def write_config(folder: Path, content: Mapping[str, Any]) -> None:
    """Write a `steer.yaml` in which every key has its description above it, and the schema by which editors know it.

    Raises:
        SteerError: It names a file outside the folder, or the disk is full.
    """
    _check_inside(content)
    schema = config_class(content)
    parts = [f"# yaml-language-server: $schema={SCHEMA}\n"]
    for name, info in schema.model_fields.items():
        shown = _yaml({name: content[name]}) if name in content else f"# {name}:\n"
        parts.append(f"# {info.description}\n{shown}")
    parts += [_yaml({name: value}) for name, value in content.items() if name not in schema.model_fields]
    write_json(folder / SCHEMA, schema.model_json_schema())
    write_text(folder / FILE, "\n".join(parts))


def write_config_text(folder: Path, text: str) -> None:
    """Write a `steer.yaml` as somebody typed it; what it says of the data is checked later.

    Raises:
        SteerError: It is no YAML, is another app's or workspace's, or names a file outside the folder.
    """
    before = read_config(folder)
    with replace_folder(folder / ".typed") as typed:
        (typed / FILE).write_text(text, encoding="utf-8")
        content = read_config(typed)
    shutil.rmtree(folder / ".typed")
    for key in ("app", "name"):
        if content.get(key) != before.get(key):
            raise SteerError(f"{key}: must stay {before.get(key)!r}; make another workspace for another one")
    _check_inside(content)
    write_text(folder / FILE, text)


def put_files(folder: Path, key: str, files: Sequence[Path]) -> str:
    """Copy files to where a table of the workspace is to be, in the place of those that were there.

    Args:
        folder: Folder of the workspace.
        key: Key of the table in its `steer.yaml`.
        files: Files with the names that people gave them.

    Returns:
        What `source:` is to say: the file, or the folder of several.

    Raises:
        SteerError: Two of them have one name, or the disk is full.
    """
    names = [_safe_name(file.name) for file in files]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SteerError(f"two of the files are called {twice}; rename one of them")
    home = folder / _DATA / key
    with replace_folder(home) as fresh:
        for file, name in zip(files, names, strict=True):
            shutil.copyfile(file, fresh / name)
    return f"{_DATA}/{key}/{names[0]}" if len(names) == 1 else f"{_DATA}/{key}"


def table_files(folder: Path, source: str) -> list[Path]:
    """The files of a table, those of a folder in the order of their names; none for what lies elsewhere."""
    path = folder / source
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else []


def _yaml(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=110)


def _safe_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).lstrip(".") or "file"


def _check_inside(content: Mapping[str, Any]) -> None:
    """Whoever may use the page need not be allowed to read the server's files."""
    for text in _texts(content):
        path = PurePosixPath(text.replace("\\", "/"))
        if path.is_absolute() or text.startswith("~") or ".." in path.parts:
            raise SteerError(f"{text!r} leads out of the workspace; upload the file, and name it as it is shown here")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
