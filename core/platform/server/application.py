"""The web application: pages, API and tools of every app, behind one authenticating middleware."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from core.platform.apps.spec import AnyApp
from core.platform.auth.access import Accounts, NoAuth, current_principal
from core.platform.auth.erasure_routes import erasure_routes
from core.platform.auth.login import login_routes
from core.platform.auth.middleware import AuthMiddleware
from core.platform.auth.secret import load_secret
from core.platform.http.chat_completions import chat_routes
from core.platform.http.health import health_routes
from core.platform.http.limits import Limits, LimitsMiddleware, SharesMiddleware
from core.platform.http.parameters import refuse_unknown
from core.platform.http.problems import RESPONSES, answer_with_problems
from core.platform.http.request_log import RequestLogMiddleware
from core.platform.inference.malloc_trim import freeze_gc, start_malloc_trim
from core.platform.jobs.runner import JobRunner
from core.platform.pages import uploads
from core.platform.server.retention import keep_house
from core.platform.server.served import ServedApp, ServedApps
from core.platform.server.swap import Inner, Swap
from core.platform.store import accounts
from core.platform.store.database import Store
from core.platform.workspaces.service import WorkspaceService
from core.rl.explore import Explorer
from core.util.errors import SteerError, UnavailableError

_THREADS = 128
_FOLLOW_SECONDS = 2.0
NOBODY = "nobody could log in; create an admin first: steer users add NAME --role admin"


@dataclass(frozen=True)
class Serving:
    """Options of serving an application.

    Attributes:
        accounts: Whether people log in and programs show keys.
        explore: Share of decisions that are sampled from the policy, see `core.rl.explore`.
        pages: Whether there are pages besides the API; Gradio is imported only then.
        limits: Limits of one client.
        trusted_proxies: Addresses and networks of proxies that are believed when they name their clients.
        keep: Age up to which what people said and did is kept; None for ever.
        workspaces: Whether admins can make workspaces on a page, and those that are published are served.
    """

    accounts: bool = False
    explore: float = 0.0
    pages: bool = True
    limits: Limits = field(default_factory=Limits)
    trusted_proxies: Sequence[str] = ()
    keep: timedelta | None = None
    workspaces: bool = False


def create_app(specs: Sequence[AnyApp], runs: Path, store: Store, options: Serving) -> FastAPI:
    """The web application for the policies that serve; an app that has none yet serves its trained run.

    Args:
        specs: Apps in the order of the navigation.
        runs: Folder of runs, model versions and, unless the environment names another, the secret.
        store: Store that is closed when the application stops, or does not start.
        options: Options of serving.

    Raises:
        SteerError: An app has neither versions nor a trained run, or accounts are on and there is no admin.
    """
    with ExitStack() as undo:
        undo.callback(store.close)
        if options.accounts:
            _check_admin(store)
        served = ServedApps(runs, store, Explorer(options.explore))
        undo.callback(served.close)
        served.add(specs)
        if served.closed and not served.open:
            raise SteerError(served.closed[0].reason)
        if options.workspaces:
            served.apps = served.with_published()
        authenticator = Accounts(store, load_secret(runs)) if options.accounts else NoAuth()
        make = partial(_make_inner, runs=runs, store=store, options=options)
        swap = Swap(make(served.apps))
        server = _Server(served, swap, make, runs, store, options)
        app = FastAPI(lifespan=server.lifespan, docs_url=None, redoc_url=None, openapi_url=None)
        answer_with_problems(app)
        if isinstance(authenticator, Accounts):
            app.include_router(login_routes(authenticator))
        app.include_router(health_routes(store, served.versions, served.out_of_order))
        app.mount("", swap)
        # The last one added is the outermost.
        app.add_middleware(SharesMiddleware, limits=options.limits)
        app.add_middleware(AuthMiddleware, authenticator=authenticator, apps=served.by_path)
        app.add_middleware(LimitsMiddleware, limits=options.limits)
        app.add_middleware(RequestLogMiddleware)
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(options.trusted_proxies))
        undo.pop_all()
    return app


def _make_inner(apps: Sequence[ServedApp], *, runs: Path, store: Store, options: Serving) -> Inner:
    """Pages, API and tools of some apps."""
    every = [each.opened for each in apps]
    app = FastAPI(
        title="Steer",
        description="Policies that were fine-tuned by reinforcement learning, at work.",
        docs_url=None,  # FastAPI's page of them loads from another host
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    answer_with_problems(app)
    # One by one: FastAPI looks through all routes of a router again at each router that it is in.
    routers = {each.spec.path: each.spec.api(each.service) for each in every}
    bots = {f"steer-{each.spec.path}": each for each in every if each.spec.chat}
    complete = {name: each.spec.chat(each.service) for name, each in bots.items() if each.spec.chat}
    chat = chat_routes(complete, lambda request, name: current_principal(request).may_use(bots[name].spec.name))
    for path, router in [("", erasure_routes(store, partial(uploads.remove_all, runs))), ("", chat), *routers.items()]:
        checks = [_key(), Depends(refuse_unknown)]
        prefix = f"/v1/{path}" if path else "/v1"
        app.include_router(router, prefix=prefix, responses=RESPONSES, dependencies=checks)
    if not options.pages:
        return Inner(app)
    uploads.use_folder(runs / uploads.UPLOADS)
    from core.platform.pages.layout import mount_pages

    service = WorkspaceService(store, runs) if options.workspaces else None
    return Inner(app, mount_pages(app, every, store, service, limits=options.limits, accounts=options.accounts))


class _Server:
    """What runs beside the requests."""

    def __init__(
        self,
        served: ServedApps,
        swap: Swap,
        make: Callable[[Sequence[ServedApp]], Inner],
        runs: Path,
        store: Store,
        options: Serving,
    ) -> None:
        self._served, self._swap, self._make = served, swap, make
        self._runs, self._store, self._options = runs, store, options
        self._stop = threading.Event()

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Threads, memory and jobs while the server runs; behind its last answer, close engines and store."""
        del app
        # Starlette's 40 threads, which wait for batches most of the time, would keep batches small.
        current_default_thread_limiter().total_tokens = _THREADS
        start_malloc_trim()
        freeze_gc()
        threads = [threading.Thread(target=work, name=name, daemon=True) for name, work in self._work().items()]
        for thread in threads:
            thread.start()
        for each in self._served.apps:
            each.start()
        async with self._swap.running():
            following = asyncio.create_task(self._follow()) if self._options.workspaces else None
            yield
            if following is not None:
                following.cancel()
        self._stop.set()
        await run_in_threadpool(self._close, threads)

    def _work(self) -> dict[str, Callable[[], None]]:
        work: dict[str, Callable[[], None]] = {
            "uploads": partial(uploads.keep_clean, self._runs / uploads.UPLOADS, self._stop),
            "housekeeping": partial(keep_house, self._store, self._options.keep, self._stop),
        }
        if self._options.workspaces:
            work["training"] = partial(JobRunner(self._store, self._runs).run, self._stop)
        return work

    async def _follow(self) -> None:
        """Serve what is published from now on, here or by another server."""
        while True:
            await asyncio.sleep(_FOLLOW_SECONDS)
            with suppress(UnavailableError):  # the store itself logs that it is out
                apps = await run_in_threadpool(self._served.with_published)
                if apps != self._served.apps:
                    await self._serve(apps)

    async def _serve(self, apps: list[ServedApp]) -> None:
        before = self._served.apps
        fresh = [each for each in apps if each not in before]
        gone = [each for each in before if each not in apps]

        def close_gone() -> None:
            for each in gone:
                each.close()

        if not await self._swap.replace(lambda: self._make(apps), close_gone):
            for each in fresh:
                await run_in_threadpool(each.close)
            return
        self._served.apps = apps
        for each in fresh:
            each.start()

    def _close(self, threads: Sequence[threading.Thread]) -> None:
        self._store.hurry()
        for thread in threads:
            thread.join()
        self._served.close()
        self._store.close()


def _check_admin(store: Store) -> None:
    with store.reading() as session:
        if not accounts.has_admin(session):
            raise SteerError(NOBODY)


def _key() -> Any:
    """The middleware checks the key; this only says in the description that there is one."""
    return Security(HTTPBearer(auto_error=False, scheme_name="API key"))
