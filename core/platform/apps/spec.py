"""AppSpec: everything that an app gives to the platform, in named fields."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from threading import Event
from typing import Any, Generic, Protocol, TypeVar

from fastapi import APIRouter

from core.data.splits import Split
from core.platform.apps.texts import Texts
from core.platform.http.chat_completions import Complete
from core.platform.inference.engine import Engine
from core.platform.queues.stream import Entry
from core.platform.store.database import Store
from core.platform.versions.live import LiveModel
from core.rl.explore import Explorer
from core.training.run import Run
from core.training.task import Task
from core.util.errors import SteerError


class Model(Protocol):
    """One version of an app's policy as the app's service asks it; it decides on an engine and keeps nothing."""

    @property
    def task(self) -> Task:
        """Task that the version was trained for, with its name and its workspace."""

    @property
    def engine(self) -> Engine[Any]:
        """Engine that computes for this version."""


EngineT = TypeVar("EngineT")
ModelT = TypeVar("ModelT", bound=Model)
ServiceT = TypeVar("ServiceT")

# Processes entries of a queue, and returns those that are wrong, each with the reason.
Take = Callable[[ServiceT, Sequence[Entry]], list[tuple[Entry, str]]]
# Runs beside the server until the event is set.
Job = Callable[[ServiceT, Event], None]


@dataclass(frozen=True)
class Page(Generic[ServiceT]):
    """A page of the web application, and the tools that language models get (Model Context Protocol).

    Attributes:
        build: Function that lays out the page for a service, called inside a Gradio Blocks context.
        tools: Function that returns the tools, whose names, docstrings and types say what they do.
        texts: Function that returns the texts of the page for a service.
    """

    build: Callable[[ServiceT], None]
    tools: Callable[[ServiceT], Sequence[Callable[..., Any]]]
    texts: Callable[[ServiceT], Sequence[Texts]]


@dataclass(frozen=True)
class AppSpec(Generic[EngineT, ModelT, ServiceT]):
    """An app.

    Attributes:
        name: Name in commands, in the store and in the folder of runs.
        path: Address of the page below the server's, and of the routes below `/v1`.
        texts: Texts of the app; `title` and `summary` among them.
        task: Task that trains the app's policy.
        engine: Factory of the engine from a task and a run of it, called in a process of its own, which imports it by
            its name.
        model: Factory of one version's model from its task and its engine.
        service: Factory of the one facade that page, API, tools, queue and jobs call.
        api: Factory of the routes below `/v1` and the app's path, for a service.
        page: Factory of the page; Gradio is imported no sooner.
        chat: Factory of what answers conversations in OpenAI's protocol; None for an app that does not chat.
        take: Function that processes entries of a queue; None for an app that takes none.
        jobs: Work beside the server, by name, such as following a feed.
        counts: Function that counts what waits for people, such as open alerts, by the key of the text that says so.
        backtest: Function that plays what is known of a split, as if it happened, through a trained run, and returns
            the figures of each detector by its name; None for an app without detectors.
    """

    name: str
    path: str
    texts: Texts
    task: type[Task]
    engine: Callable[[Any, Run], EngineT]
    model: Callable[[Any, Engine[EngineT]], ModelT]
    service: Callable[[Store, LiveModel[ModelT], Explorer], ServiceT]
    api: Callable[[ServiceT], APIRouter]
    page: Callable[[], Page[ServiceT]]
    chat: Callable[[ServiceT], Complete] | None = None
    take: Take[ServiceT] | None = None
    jobs: Mapping[str, Job[ServiceT]] = field(default_factory=dict)
    counts: Callable[[ServiceT], Mapping[str, int]] | None = None
    backtest: Callable[[Any, Run, Split], Mapping[str, Mapping[str, float | None]]] | None = None


AnyApp = AppSpec[Any, Any, Any]

# Names that other addresses of the server begin with.
_TAKEN = frozenset(
    {
        *("assets", "chat", "config", "favicon.ico", "gradio_api", "health", "login", "logout", "manifest.json"),
        *(
            "chat",
            "mcp",
            "metrics",
            "models",
            "ready",
            "robots.txt",
            "static",
            "theme.css",
            "users",
            "v1",
            "workspaces",
        ),
    }
)


def installed_apps() -> list[AnyApp]:
    """The apps that installed packages register under the entry-point group `steer.apps`, in order of their names."""
    return [entry.load() for entry in sorted(entry_points(group="steer.apps"), key=lambda entry: entry.name)]


def workspace_app(task: type[Task]) -> AnyApp:
    """The app of a workspace: its app's, under the workspace's own name, address and title.

    Raises:
        SteerError: The name is an address of the server's.
    """
    assert task.workspace is not None
    config = task.workspace.config
    check_free(config.name)
    base = next(spec for spec in installed_apps() if spec.name == config.app)
    texts = base.texts.named(config.name, task.title, config.summary)
    return replace(base, name=task.name, path=config.name, texts=texts, task=task)


def check_free(name: str) -> None:
    """Check that a workspace may be called so.

    Raises:
        SteerError: The name is an app's, or an address of the server's.
    """
    apps = installed_apps()
    if name in _TAKEN | {spec.path for spec in apps} | {spec.name for spec in apps}:
        raise SteerError(f"name: {name} is an address of the server's; choose another")
