"""`steer new`: a workspace that works at once, for a company to put its own data into."""

import re
import shutil
from pathlib import Path
from typing import Annotated

import typer

from core.cli.options import console
from core.util.errors import SteerError


def new(
    app: Annotated[str, typer.Argument(help="Name of the app, such as customer_service.")],
    folder: Annotated[Path, typer.Argument(help="Folder to write, which must be empty or not there yet.")],
    *,
    example: Annotated[
        bool, typer.Option("--example", help="Take all that the app ships with, not a small example.")
    ] = False,
) -> None:
    """Write a workspace: a commented steer.yaml, and a small example of everything, to be replaced by your own data."""
    from core.training.loader import load_task, task_names
    from core.training.workspace import FILE, SCHEMA

    task = load_task(app) if app.replace("-", "_") in task_names() else None
    if task is None or task.template is None or task.workspace is None:
        known = [name for name in task_names() if load_task(name).template is not None]
        raise SteerError(f"there is no app {app!r} that takes workspaces; there are {', '.join(known)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SteerError(f"{folder} is there already, and not empty; name another folder")
    name = re.sub("[^a-z0-9_-]+", "-", folder.resolve().name.lower()).strip("-_0123456789")[:40] or "workspace"
    try:
        if example:
            shutil.copytree(task.workspace.folder, folder, dirs_exist_ok=True)
            shutil.copy(task.template / SCHEMA, folder)
        else:
            shutil.copytree(task.template, folder, dirs_exist_ok=True)
        file = folder / FILE
        content = re.sub("(?m)^name: .*$", f"name: {name}", file.read_text(encoding="utf-8"))
        file.write_text(re.sub(rf"schema=\S*{SCHEMA}", f"schema={SCHEMA}", content), encoding="utf-8")
    except OSError as error:
        raise SteerError(f"cannot write {folder}: {error.strerror or error}") from error
    console.print(
        f"{folder} is a workspace of {task.name} now. Put your data in, say so in {file}, then:\n"
        f"  steer check {folder}\n  steer train {folder}\n  steer evaluate {folder}\n  steer serve {folder}",
        soft_wrap=True,
    )
