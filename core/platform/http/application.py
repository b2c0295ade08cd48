"""The web application: pages, API and tools of every app, behind one gate."""

import os
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

from core.platform.auth.access import Access, Open
from core.platform.auth.login import login_routes
from core.platform.auth.middleware import Gate
from core.platform.auth.secret import load_secret
from core.platform.http.health import health_routes
from core.platform.http.limits import LimitedRequests, Limits
from core.platform.http.problems import RESPONSES, answer_with_problems
from core.platform.http.request_log import ObservedRequests
from core.platform.inference.engine import Engine
from core.platform.inference.engine_process import EngineProcess
from core.platform.inference.memory import freeze_gc, start_malloc_trim
from core.platform.inference.metrics import BATCH_SECONDS, BATCH_SIZE, BATCH_WAIT, QUEUE
from core.platform.pages.app_spec import Page
from core.platform.pages.layout import build_shell, mount_options
from core.platform.store import accounts
from core.platform.store.database import Store
from core.platform.versions.library import VERSIONS, Library
from core.platform.versions.live import Live
from core.rl.explore import Explorer
from core.training.loader import load_task
from core.training.run import Run
from core.util.batching import Batch
from core.util.errors import SteerError

_THREADS = 128


@dataclass(frozen=True)
class Serving:
    """How an application serves.

    Attributes:
        accounts: whether people log in and programs show keys.
        explore: share of decisions that are sampled from the policy, see `core.rl.explore`.
        pages: whether there are pages besides the API; they keep what a visitor does in this process.
        limits: of one client of the API.
    """

    accounts: bool = False
    explore: float = 0.0
    pages: bool = True
    limits: Limits = field(default_factory=Limits)


def installed_pages() -> list[Page]:
    """The pages that installed apps register under the entry-point group `steer.pages`, in order of their names."""
    return [entry.load() for entry in sorted(entry_points(group="steer.pages"), key=lambda entry: entry.name)]


def create_app(runs: Path, store: Store, how: Serving) -> FastAPI:
    """The web application for the policies that serve; an app that has none yet serves its trained run.

    Args:
        runs: folder of runs, model versions and, unless the environment names another, the secret.
        store: is closed when the application stops.
        how: it serves.

    Raises:
        SteerError: an app has neither versions nor a trained run, or accounts are on and there is no admin.
    """
    access = _access(runs, store) if how.accounts else Open()
    pages = installed_pages()
    library = Library(store, runs / VERSIONS)
    for page in pages:
        library.adopt(load_task(page.name), runs, "steer serve")
    lives = {
        page.name: Live(library, page.name, partial(build_service, page, apart=True), retire=_stop) for page in pages
    }
    explorer = Explorer(how.explore)
    desks = {page.name: page.open_desk(store, lives[page.name], explorer) for page in pages}
    app = FastAPI(
        title="Steer",
        description="Policies that were fine-tuned by reinforcement learning, at work.",
        lifespan=partial(_closing, lives=list(lives.values()), store=store),
        docs_url=None,  # FastAPI's page of them loads from another host
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    answer_with_problems(app)
    if isinstance(access, Access):
        app.include_router(login_routes(access))
    app.include_router(health_routes(store, lambda: {name: live.current[1] for name, live in lives.items()}))
    # One by one: FastAPI looks through all routes of a router again at each router that it is in.
    for page in pages:
        app.include_router(page.routes(desks[page.name]), prefix="/v1", responses=RESPONSES, dependencies=[_key()])
    if how.pages:
        app = _with_pages(app, build_shell(pages, desks, accounts=how.accounts), mount_options(pages))
    # The last one added is the outermost.
    app.add_middleware(Gate, access=access)
    app.add_middleware(LimitedRequests, limits=how.limits)
    app.add_middleware(ObservedRequests)
    return app


def build_service(page: Page, run: Run, *, apart: bool) -> Any:
    """The service of a run, its batches measured.

    Args:
        page: of the app.
        run: that holds the policy.
        apart: whether its engine gets a process of its own.

    Raises:
        SteerError: it does not open.
    """
    with ExitStack() as undo:
        if apart:
            process = EngineProcess(page.name, page.open_engine, run)
            engine = Engine(process.works, partial(_note_batch, page.name), process.close)
        else:
            engine = Engine(page.open_engine(run), partial(_note_batch, page.name))
        undo.callback(engine.close)
        service = page.open_service(run, engine)
        undo.pop_all()
    return service


def _access(runs: Path, store: Store) -> Access:
    with store.reading() as session:
        if not accounts.has_admin(session):
            raise SteerError("nobody could log in; create an admin first: steer users add NAME --role admin")
    return Access(store, load_secret(runs))


def _key() -> Any:
    """The gate checks the key; this only says in the description that there is one."""
    return Security(HTTPBearer(auto_error=False, scheme_name="API key"))


def _with_pages(app: FastAPI, shell: gr.Blocks, options: dict[str, Any]) -> FastAPI:
    # Gradio looks where a file that a browser names lies only after `launch`, which mounting leaves out. Without this,
    # whoever sends "a file" in the place of a text has any file of the server copied to where pages load theirs from.
    shell.has_launched = True
    with warnings.catch_warnings():  # Gradio says of several pages that it switches off what `mount_options` has off
        warnings.filterwarnings("ignore", message="SSR mode is not supported")
        return gr.mount_gradio_app(app, shell, path="", **options)


def _note_batch(app: str, work: str, batch: Batch) -> None:
    model = f"{app}.{work}"
    BATCH_SIZE.labels(model).observe(batch.size)
    BATCH_WAIT.labels(model).observe(batch.waited)
    BATCH_SECONDS.labels(model).observe(batch.worked)
    QUEUE.labels(model).set(batch.queue)


@asynccontextmanager
async def _closing(app: FastAPI, *, lives: Sequence[Live[Any]], store: Store) -> AsyncIterator[None]:
    """Threads and memory while the server runs; behind its last answer, close engines and store."""
    del app
    # Starlette's 40 threads, which wait for batches most of the time, would keep batches small.
    current_default_thread_limiter().total_tokens = _THREADS
    start_malloc_trim()
    freeze_gc()
    yield
    await run_in_threadpool(_close, lives, store)


def _close(lives: Sequence[Live[Any]], store: Store) -> None:
    for live in lives:
        live.close()
        _stop(live.current[0])
    store.close()


def _stop(service: Any) -> None:
    service.engine.close()
