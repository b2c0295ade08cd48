"""The folders of model versions, beside their rows in the store."""

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from filelock import FileLock

from core.platform.store import versions
from core.platform.store.database import Store, is_new
from core.platform.store.schema import ModelVersion
from core.platform.versions.manifest import METRICS, READABLE, REQUIRED, belongs, verify, write_manifest
from core.platform.versions.metrics import Metrics
from core.training.evaluate import saved_comparison
from core.training.loader import open_task
from core.training.run import Run
from core.training.task import Task
from core.util.errors import SteerError
from core.util.files import write_text

VERSIONS = "versions"  # folder of the library beside the runs
_UNFINISHED = ".new."


class Library:
    """Versions of every app: `folder / APP / vNNNN`, and a row of the store each.

    The row makes the version: it is written when the folder is complete and in its place, and a folder without a row
    counts for nothing.

    Args:
        store: Store with the rows.
        folder: Folder with the versions, `runs / VERSIONS`; it may move, as the rows do not name it.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder

    def register(self, task: Task, run: Run, metrics: Metrics, note: str = "") -> ModelVersion:
        """Make a trained run a version of its task, which does not serve until it is promoted.

        Args:
            task: Task with the settings and the data of the run.
            run: Run that ended with a trained policy; it stays as it is.
            metrics: Rewards of the policy on the test split.
            note: Sentence for people that says where it comes from.

        Raises:
            SteerError: The run holds no trained policy, or the disk is full.
        """
        with self.staging() as staged:
            _fill(staged, task, run, metrics)
            return self.enter(staged, metrics, note)

    def adopt(self, task_class: type[Task], runs: Path, requested_by: str) -> ModelVersion:
        """The version of an app that serves; an app without versions gets its trained run as the first one.

        That one was measured if the run was (`steer evaluate`); playing the test split now would keep people waiting.

        Args:
            task_class: Task of the app.
            runs: Folder of the runs.
            requested_by: Name of the person or program that asks for it.

        Raises:
            SteerError: The app has neither versions nor a trained run.
        """
        run = Run(runs / task_class.name)
        if (serving := self._serving(task_class.name)) is not None:
            return serving
        check_trained_run(task_class.name, run)  # before there is a folder
        with self.staging() as staged:  # one at a time: two servers that start together must not both adopt
            if (serving := self._serving(task_class.name)) is not None:
                return serving
            task = open_task(task_class, run)
            metrics = _measured(task, run)
            _fill(staged, task, run, metrics)
            note = "the trained run" if metrics.reward else "the trained run, which nobody had evaluated"
            return self.enter(staged, metrics, note, first_by=requested_by)

    def has_policy(self, app: str, runs: Path) -> bool:
        """Whether an app has a version, or a trained run that can become the first one."""
        return self._serving(app) is not None or _is_trained(Run(runs / app))

    def publish(self, task_class: type[Task], runs: Path) -> ModelVersion:
        """Register the app's trained and evaluated run, which does not serve until it is promoted.

        Args:
            task_class: Task of the app.
            runs: Folder of the runs.

        Raises:
            SteerError: There is no such run, or nobody evaluated it.
        """
        run = Run(runs / task_class.name)
        task = open_task(task_class, run)
        metrics = _measured(task, run)
        if metrics.reward is None:
            raise SteerError(f"nobody measured what {run.folder} earns; run `steer evaluate {task_class.name}` first")
        return self.register(task, run, metrics, "the trained run")

    def version(self, app: str, name: str) -> ModelVersion:
        """The version of a name.

        Raises:
            SteerError: There is none; the message says which there are.
        """
        with self.store.reading() as session:
            found = versions.find(session, app, name)
            known = [version.name for version in versions.registered(session, app)] if found is None else []
        if found is None:
            raise SteerError(f"{app} has no version {name!r}; there are {', '.join(known) or 'none'}")
        return found

    def path(self, version: ModelVersion) -> Path:
        """Folder of a version's files."""
        return self.folder / version.folder

    def open(self, version: ModelVersion) -> Run:
        """The run that a version was made of, as far as serving needs it.

        Raises:
            SteerError: Its files are not those that were registered.
        """
        home = self.path(version)
        if not home.is_dir():
            raise SteerError(
                f"{version.app} {version.name} is registered in the store, but its files are not in {home}. "
                "Servers of one store share one folder of versions: mount it here or copy it, and name the folder that "
                "it lies in with --runs or STEER_RUNS_DIR"
            )
        verify(home)
        return Run(home)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """An empty folder to make a version in; whatever is still in it at the end of the block is removed.

        One process at a time has one, so that whatever lies about from another was left by one that was killed.

        Raises:
            SteerError: The disk is full or the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock"):
                for left in self.folder.glob(f"{_UNFINISHED}*"):
                    shutil.rmtree(left, ignore_errors=True)
                staged = Path(mkdtemp(prefix=_UNFINISHED, dir=self.folder))
                try:
                    yield staged
                finally:
                    shutil.rmtree(staged, ignore_errors=True)
        except OSError as error:
            raise SteerError(
                f"could not make a version in {self.folder}: {error}. No version was registered; mend that (a full "
                "disk, a missing right) and try again."
            ) from error

    def enter(self, staged: Path, metrics: Metrics, note: str, *, first_by: str | None = None) -> ModelVersion:
        """Give a complete folder its name, its place and its row.

        Args:
            staged: Folder that `staging` gave, with everything that belongs in a version.
            metrics: Rewards of the policy.
            note: Sentence for people that says where it comes from.
            first_by: Name of whoever promotes it at once, as the app's first version; None to promote nothing.

        Raises:
            SteerError: The folder is not complete.
        """
        manifest = verify(staged)
        with self.store.transaction() as session:
            versions.reserve(session, manifest.app)
            home = self._free_place(manifest.app, versions.next_number(session, manifest.app))
            staged.rename(home)
            folder = home.relative_to(self.folder).as_posix()
            version = versions.add(session, manifest.app, home.name, folder, manifest.data, metrics.model_dump(), note)
            if first_by is not None:
                versions.promote(session, version, first_by, "the first version")
        return version

    def _serving(self, app: str) -> ModelVersion | None:
        with self.store.reading() as session:
            return versions.current(session, app)

    def _free_place(self, app: str, number: int) -> Path:
        """The first folder from a number on that does not exist: one without a row may belong to another store."""
        (self.folder / app).mkdir(exist_ok=True)
        while (place := self.folder / app / f"v{number:04d}").exists():
            number += 1
        return place


def check_trained(apps: Iterable[str], runs: Path, store_url: str) -> None:
    """Check, before anything is made, that each app has something to serve or to retrain.

    Args:
        apps: Names of the apps.
        runs: Folder of the runs.
        store_url: URL of the store, which may not exist yet.

    Raises:
        SteerError: No version can be in the store yet, and an app was not trained.
    """
    if is_new(store_url):
        for app in apps:
            check_trained_run(app, Run(runs / app))


def check_trained_run(app: str, run: Run) -> None:
    """Check that a run ended with a trained policy.

    Raises:
        SteerError: It did not.
    """
    if not _is_trained(run):
        raise SteerError(f"{run.folder} holds no trained policy; run `steer train {app}` first")


def _is_trained(run: Run) -> bool:
    return run.model("rl").is_dir()


def _measured(task: Task, run: Run) -> Metrics:
    """Metrics of the run's evaluation, if there is one."""
    comparison = saved_comparison(task, run)
    return Metrics() if comparison is None else Metrics.of(comparison.played["rl"].returns)


def _fill(staged: Path, task: Task, run: Run, metrics: Metrics) -> None:
    """Copy what a version needs of a run, in the layout of a run."""
    check_trained_run(task.name, run)
    wanted = [*REQUIRED, *READABLE]
    wanted += [path.relative_to(run.folder).as_posix() for path in run.model("rl").rglob("*") if path.is_file()]
    for name in filter(belongs, dict.fromkeys(wanted)):
        source = run.folder / name
        if source.is_file():
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, staged / name)
    write_text(staged / METRICS, metrics.model_dump_json(indent=2) + "\n")
    write_manifest(staged, task.name, hashlib.sha256(task.data_fingerprint().encode()).hexdigest())
