"""The one facade for workspaces that are made on a server: files, columns, check, training, evaluation, publishing."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from core.evaluation.comparison import Comparison
from core.platform.apps.spec import check_free
from core.platform.auth.access import Principal
from core.platform.jobs.progress import Progress
from core.platform.jobs.runner import WORKSPACES
from core.platform.store import jobs, versions
from core.platform.store.database import Session, Store
from core.platform.store.schema import Job
from core.platform.versions.library import VERSIONS, Library
from core.platform.versions.promotion import promote
from core.platform.workspaces.columns import TablePreview, fields_of_rows, found_columns, guessed
from core.platform.workspaces.folder import (
    config_class,
    put_files,
    table_files,
    table_keys,
    workspace_tasks,
    write_config,
    write_config_text,
)
from core.training.checked import Checked, check_workspace
from core.training.loader import load_task
from core.training.run import Run
from core.training.workspace import FILE, Table, WorkspaceConfig, read_config
from core.util.errors import ConflictError, NotFoundError, SteerError
from core.util.files import replace_folder


@dataclass(frozen=True)
class JobView:
    """The last job of a workspace.

    Attributes:
        state: `queued`, `running`, `done`, `failed` or `cancelled`.
        progress: Progress of its stages.
        error: Reason why it failed.
        changed: When it ended, or else when it was asked for.
    """

    state: str
    progress: Progress
    error: str
    changed: datetime


@dataclass(frozen=True)
class WorkspaceView:
    """A workspace, and how far it is.

    Attributes:
        name: Name of the workspace, and its address.
        title: Title of the page.
        app: Name of the app that it is for.
        job: Its last training; None where there was none.
        version: Name of the version that serves; empty where none does.
        since: Moment from which on that version has been serving.
    """

    name: str
    title: str
    app: str
    job: JobView | None
    version: str
    since: datetime | None


class WorkspaceService:
    """Makes, trains and publishes workspaces; every change takes the role admin.

    Args:
        store: Store with jobs and versions.
        runs: Folder of runs; the workspaces lie below it.
    """

    def __init__(self, store: Store, runs: Path) -> None:
        self._store, self._runs = store, runs

    def apps(self) -> list[str]:
        """Names of the apps that take workspaces."""
        return list(workspace_tasks())

    def views(self, principal: Principal) -> list[WorkspaceView]:
        """The workspaces that the principal may use, by name."""
        found = sorted(file.parent.name for file in (self._runs / WORKSPACES).glob(f"*/{FILE}"))
        with self._store.reading() as session:
            return [self._view(session, name) for name in found if principal.may_use(name)]

    def view(self, principal: Principal, name: str) -> WorkspaceView:
        """A workspace, and how far it is.

        Raises:
            NotFoundError: There is none of that name.
            SteerError: The principal is no admin.
        """
        folder = self._folder(principal, name)
        with self._store.reading() as session:
            return self._view(session, folder.name)

    def create(self, principal: Principal, app: str, name: str, title: str, *, with_example: bool) -> None:
        """Make a workspace.

        Args:
            principal: Whoever asks for it.
            app: Name of the app that it is for.
            name: Name of the workspace.
            title: Title of its page.
            with_example: Whether it begins with the app's small example, or with nothing.

        Raises:
            ConflictError: There is something of that name already.
            SteerError: The principal is no admin, or the name cannot be one.
        """
        _check_admin(principal, name)
        tasks = workspace_tasks()
        if app not in tasks:
            raise SteerError(f"Choose what it is for: {', '.join(tasks)}.")
        try:
            WorkspaceConfig(app=app, name=name, title=title)
        except ValidationError as error:
            raise SteerError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
        template = tasks[app].template
        given = {} if template is None else dict(read_config(template))
        # Also with nothing else it is trained as such data are, with articles alone for example.
        content = given if with_example else {key: given[key] for key in given.keys() & {"preset"}}
        content |= {"app": app, "name": name, "title": title or name}
        check_free(name)
        folder = self._runs / WORKSPACES / name
        if folder.exists() or (self._runs / name).exists():
            raise ConflictError(f"There is something called {name} already; choose another name.")
        with replace_folder(folder) as fresh:
            if with_example and template is not None:
                shutil.copytree(template, fresh, dirs_exist_ok=True)
            write_config(fresh, content)

    def table_keys(self, principal: Principal, name: str) -> dict[str, str]:
        """The tables that the workspace's `steer.yaml` may name: what each is, by key."""
        return table_keys(config_class(read_config(self._folder(principal, name))))

    def preview(self, principal: Principal, name: str, key: str) -> TablePreview:
        """What a table of the workspace looks like."""
        folder = self._folder(principal, name)
        content = read_config(folder)
        task = workspace_tasks()[content["app"]]
        fields = fields_of_rows(task.tables.get(key))
        if not content.get(key):
            return TablePreview(fields=fields)
        table = _table(content[key])
        files = table_files(folder, table.source)
        names = tuple(file.relative_to(folder).as_posix() for file in files)
        try:
            records = task.open_table(key, folder / table.source)
            columns, rows = found_columns(records)
        except SteerError as error:
            return TablePreview(table.source, names, fields=fields, problem=str(error))
        usual = task.usual_columns(key, records, table.columns)
        mapping = {field: usual.get(field, field) for field, _ in fields}
        known = tuple((field, column) for field, column in mapping.items() if column in columns)
        return TablePreview(table.source, names, columns, rows, fields, known)

    def put_files(self, principal: Principal, name: str, key: str, files: Sequence[Path]) -> None:
        """Let files be a table of the workspace; whatever else is said of the table stays.

        Columns that were chosen stay so where the files have them; the others are mapped as far as their names tell.

        Raises:
            SteerError: There is no such table, or no file.
        """
        folder = self._folder(principal, name)
        content = dict(read_config(folder))
        if key not in table_keys(config_class(content)) or not files:
            raise SteerError("Choose what the files are, and at least one file.")
        content[key] = _as_mapping(content.get(key) or {}) | {"source": put_files(folder, key, files)}
        write_config(folder, content)
        preview = self.preview(principal, name, key)
        kept = dict(preview.mapping)
        fields = tuple(field for field in preview.fields if field[0] not in kept)
        columns = tuple(column for column in preview.columns if column not in kept.values())
        self.map_columns(principal, name, key, guessed(fields, columns) | kept)

    def map_columns(self, principal: Principal, name: str, key: str, mapping: Mapping[str, str]) -> None:
        """Say which column each field of a table is in.

        Args:
            principal: Whoever asks for it.
            name: Name of the workspace.
            key: Key of the table.
            mapping: Column of each field that has one.

        Raises:
            SteerError: One column is to be two fields.
        """
        folder = self._folder(principal, name)
        content = dict(read_config(folder))
        columns = list(mapping.values())
        twice = next((column for column in columns if columns.count(column) > 1), None)
        if twice is not None:
            raise SteerError(f"The column {twice} cannot be two fields; choose another one for one of them.")
        others = {field: column for field, column in mapping.items() if field != column}
        table = {k: v for k, v in _as_mapping(content[key]).items() if k != "columns"}
        if others:
            table["columns"] = others
        content[key] = table["source"] if list(table) == ["source"] else table
        write_config(folder, content)

    def config_text(self, principal: Principal, name: str) -> str:
        """The `steer.yaml`, to be edited."""
        return (self._folder(principal, name) / FILE).read_text(encoding="utf-8")

    def write_config_text(self, principal: Principal, name: str, text: str) -> None:
        """Keep a `steer.yaml` that somebody edited.

        Raises:
            SteerError: It is none of this workspace.
        """
        write_config_text(self._folder(principal, name), text)

    def check(self, principal: Principal, name: str) -> Checked:
        """What `steer check` says.

        Raises:
            SteerError: The `steer.yaml` is wrong, or a table cannot be read at all.
        """
        return check_workspace(load_task(str(self._folder(principal, name))))

    def train(self, principal: Principal, name: str) -> None:
        """Have the workspace trained and evaluated; a training that was stopped goes on.

        Raises:
            SteerError: The `steer.yaml` is wrong.
        """
        task = load_task(str(self._folder(principal, name)))
        with self._store.transaction() as session:
            principal.hold(session)
            jobs.enqueue(session, task.name, principal.name)

    def cancel(self, principal: Principal, name: str) -> None:
        """Stop the training; what was learnt until then is kept for the next one."""
        folder = self._folder(principal, name)
        with self._store.transaction() as session:
            jobs.cancel(session, folder.name)

    def evaluation(self, principal: Principal, name: str) -> Comparison | None:
        """What the last training was measured to be worth; None before one has been."""
        run = Run(self._runs / self._folder(principal, name).name)
        fingerprint = run.folder / "fingerprint"
        return Comparison.saved(run.episodes, fingerprint.read_text("utf-8")) if fingerprint.is_file() else None

    def measured(self, principal: Principal, name: str) -> float | None:
        """When the last evaluation was written, in seconds since 1970; None before there is one."""
        file = Run(self._runs / self._folder(principal, name).name).episodes
        return file.stat().st_mtime if file.is_file() else None

    def publish(self, principal: Principal, name: str, reason: str = "") -> str:
        """Let what was trained serve.

        Args:
            principal: Whoever asks for it.
            name: Name of the workspace.
            reason: Reason to let it serve although it is measurably worse than what serves.

        Returns:
            Name of the version.

        Raises:
            SteerError: It was not trained with the present data and settings, or is worse and no reason is given.
        """
        task = load_task(str(self._folder(principal, name)))
        library = Library(self._store, self._runs / VERSIONS)
        version = library.publish(task, self._runs)
        promote(library, task, version.name, principal.name, reason)
        return version.name

    def _folder(self, principal: Principal, name: str) -> Path:
        _check_admin(principal, name)
        home = self._runs / WORKSPACES
        folder = home / name
        if not name or folder.parent != home or not (folder / FILE).is_file():
            raise NotFoundError(f"There is no workspace {name!r}.")
        return folder

    def _view(self, session: Session, name: str) -> WorkspaceView:
        try:
            content = read_config(self._runs / WORKSPACES / name)
        except SteerError:  # edited elsewhere; the check says what is wrong
            content = {}
        job, promotion = jobs.newest(session, name), versions.newest_promotion(session, name)
        return WorkspaceView(
            name,
            str(content.get("title") or name),
            str(content.get("app") or ""),
            None if job is None else _job_view(job),
            "" if promotion is None else promotion.version,
            None if promotion is None else promotion.time,
        )


def _job_view(job: Job) -> JobView:
    return JobView(job.state, Progress.model_validate(job.progress), job.error, job.ended or job.created)


def _check_admin(principal: Principal, name: str) -> None:
    if not principal.may_use(name):
        raise SteerError(f"Your account is not for {name}; an admin can change that: steer users apps")
    if not principal.is_at_least("admin"):
        raise SteerError(f"This takes the role admin; yours is {principal.role}.")


def _as_mapping(table: Any) -> dict[str, Any]:
    return {"source": table} if isinstance(table, str) else dict(table)


def _table(value: Any) -> Table:
    entry = _as_mapping(value)
    return Table(source=entry["source"], columns=entry.get("columns") or {})
