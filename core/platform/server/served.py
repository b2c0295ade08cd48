"""The apps that a server has opened, and the published workspaces that join them while it runs."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from core.platform.apps.opening import ClosedApp, OpenApp, open_or_close
from core.platform.apps.spec import AnyApp, workspace_app
from core.platform.store.database import Store
from core.platform.workspaces.published import published
from core.rl.explore import Explorer
from core.training.loader import load_task
from core.util.errors import SteerError, UnavailableError


@dataclass(eq=False)
class ServedApp:
    """An app with its jobs.

    Attributes:
        opened: App as it was opened, or could not be.
        promotion: Number of the promotion with which a workspace was published; None for what was there from the start.
    """

    opened: OpenApp | ClosedApp
    promotion: int | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _jobs: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin the app's work beside the server, if it has not begun yet."""
        if self._jobs or isinstance(self.opened, ClosedApp):
            return
        for name, job in self.opened.spec.jobs.items():
            title = f"{self.opened.spec.name}: {name}"
            thread = threading.Thread(target=job, args=(self.opened.service, self._stop), name=title, daemon=True)
            self._jobs.append(thread)
            thread.start()

    def close(self) -> None:
        """End its work, answer what was taken, and release the engine."""
        self._stop.set()
        for thread in self._jobs:
            thread.join()
        if isinstance(self.opened, OpenApp):
            self.opened.close()


class ServedApps:
    """Apps in the order of the navigation: those that were named, then the workspaces that were published.

    Args:
        runs: Folder of runs, model versions and workspaces.
        store: Store of the apps.
        explorer: Explorer that picks actions by their probability.
    """

    def __init__(self, runs: Path, store: Store, explorer: Explorer) -> None:
        self._runs, self._store, self._explorer = runs, store, explorer
        self._unopened: dict[Path, int] = {}
        self.apps: list[ServedApp] = []

    @property
    def open(self) -> list[OpenApp]:
        """The apps that are in order."""
        return [each.opened for each in self.apps if isinstance(each.opened, OpenApp)]

    @property
    def closed(self) -> list[ClosedApp]:
        """The apps that are not."""
        return [each.opened for each in self.apps if isinstance(each.opened, ClosedApp)]

    def versions(self) -> dict[str, str]:
        """Name of the version that serves, by app."""
        return {opened.spec.name: opened.live.current[1] for opened in self.open}

    def by_path(self) -> dict[str, str]:
        """Names of the apps by their addresses."""
        return {each.opened.spec.path: each.opened.spec.name for each in self.apps}

    def out_of_order(self) -> list[str]:
        """Names of the apps that are not in order."""
        return [each.spec.name for each in self.closed]

    def add(self, specs: Sequence[AnyApp]) -> None:
        """Open apps.

        Raises:
            SteerError: One of them has neither versions nor a trained run.
        """
        for spec in specs:
            self.apps.append(ServedApp(self._opened(spec)))

    def with_published(self) -> list[ServedApp]:
        """The apps as they should be: what was published since is opened, also what was published anew.

        Raises:
            UnavailableError: The store does not answer.
        """
        apps = list(self.apps)
        for folder, promotion in published(self._store, self._runs).items():
            at = next((at for at, each in enumerate(apps) if each.opened.spec.name == folder.name), None)
            known = self._unopened.get(folder) if at is None else apps[at].promotion
            if known == promotion or (at is not None and known is None):
                continue
            try:
                fresh = ServedApp(self._opened(workspace_app(load_task(str(folder)))), promotion)
            except UnavailableError:
                break  # the others are opened the next time
            except SteerError as error:
                structlog.get_logger().error("workspace not served", workspace=folder.name, reason=str(error))
                self._unopened[folder] = promotion
                continue
            apps = [*apps, fresh] if at is None else [*apps[:at], fresh, *apps[at + 1 :]]
        return apps

    def close(self) -> None:
        """Close all apps."""
        for each in self.apps:
            each.close()

    def _opened(self, spec: AnyApp) -> OpenApp | ClosedApp:
        return open_or_close(spec, self._runs, self._store, self._explorer, adopted_by="steer serve")
