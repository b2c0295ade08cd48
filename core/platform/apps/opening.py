"""An app of the version that serves: its engine, its model, and the service that page, API and queue call."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from core.platform.apps.spec import AnyApp, Model
from core.platform.inference.engine import Engine
from core.platform.inference.engine_process import EngineProcess, OpenEngine
from core.platform.store.database import Store
from core.platform.versions.library import VERSIONS, Library
from core.platform.versions.live import LiveModel
from core.rl.explore import Explorer
from core.training.loader import open_task
from core.training.run import Run
from core.util.errors import SteerError, UnavailableError


@dataclass(frozen=True)
class OpenApp:
    """An opened app.

    Attributes:
        spec: Specification of the app.
        live: Model of the version that serves at the moment.
        service: Facade that everything calls.
    """

    spec: AnyApp
    live: LiveModel[Any]
    service: Any

    def close(self) -> None:
        """Answer what was taken, and release the engine."""
        self.live.close()
        _close_engine(self.live.current[0])


@dataclass(frozen=True)
class ClosedApp:
    """An app whose version does not open; the others serve.

    Attributes:
        spec: Specification of the app.
        reason: Reason why it does not.
    """

    spec: AnyApp
    reason: str

    @property
    def service(self) -> Any:
        """Stands in for the app's service: whatever is asked of it is unavailable."""
        return _OutOfOrder(self)


class _OutOfOrder:
    def __init__(self, app: ClosedApp) -> None:
        self._app = app

    def __getattr__(self, name: str) -> Any:
        raise UnavailableError(
            "This app is out of order; whoever runs the server finds the reason in its log.",
            reason=f"{self._app.spec.name} is out of order: {self._app.reason}",
        )


def open_or_close(
    spec: AnyApp, runs: Path, store: Store, explorer: Explorer, *, adopted_by: str
) -> OpenApp | ClosedApp:
    """`open_app`; closed where there is a version and it does not open, being damaged, say.

    Raises:
        SteerError: There are neither versions nor a trained run.
        UnavailableError: The store does not answer.
    """
    Library(store, runs / VERSIONS).adopt(spec.task, runs, adopted_by)
    try:
        return open_app(spec, runs, store, explorer, adopted_by=adopted_by)
    except UnavailableError:
        raise
    except Exception as error:  # whatever a model can raise
        unexpected = None if isinstance(error, SteerError) else error
        structlog.get_logger().error("app out of order", app=spec.name, reason=str(error), exc_info=unexpected)
        return ClosedApp(spec, str(error))


def open_app(
    spec: AnyApp, runs: Path, store: Store, explorer: Explorer, *, adopted_by: str, apart: bool = True
) -> OpenApp:
    """The app, serving its current version; without versions its trained run becomes the first.

    Args:
        spec: Specification of the app.
        runs: Folder of runs and model versions.
        store: Store with everything that outlives the process.
        explorer: Explorer that picks actions by their probability.
        adopted_by: Command that is noted where a trained run becomes the first version.
        apart: Whether the engine gets a process of its own.

    Raises:
        SteerError: There are neither versions nor a trained run, or the model does not open.
    """
    library = Library(store, runs / VERSIONS)
    library.adopt(spec.task, runs, adopted_by)
    with ExitStack() as undo:
        live = LiveModel(library, spec.name, partial(open_model, spec, apart=apart), retire=_close_engine)
        undo.callback(lambda: _close_engine(live.current[0]))
        undo.callback(live.close)
        opened = OpenApp(spec, live, spec.service(store, live, explorer))
        undo.pop_all()
    return opened


def open_model(spec: AnyApp, run: Run, *, apart: bool) -> Any:
    """The model of a run, on an engine of its own.

    Args:
        spec: Specification of the app.
        run: Run that holds the policy.
        apart: Whether the engine gets a process of its own.

    Raises:
        SteerError: It does not open.
    """
    task = open_task(spec.task, run)
    with ExitStack() as undo:
        if apart:
            open_engine = OpenEngine.of(spec.task, spec.engine)
            process = EngineProcess(spec.name, open_engine, run, [spec.engine.__module__])
            engine: Engine[Any] = Engine(process.run_batch, spec.name, process.close)
        else:
            engine = Engine.local(spec.engine(task, run), spec.name)
        undo.callback(engine.close)
        model = spec.model(task, engine)
        undo.pop_all()
    return model


def _close_engine(model: Model) -> None:
    model.engine.close()
