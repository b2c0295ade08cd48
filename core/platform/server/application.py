"""The web application: pages, API and tools of every app, behind one authenticating middleware."""

import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
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

from core.platform.apps.opening import ClosedApp, OpenApp, open_or_close
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
from core.platform.pages import uploads
from core.platform.server.retention import keep_house
from core.platform.store import accounts
from core.platform.store.database import Store
from core.rl.explore import Explorer
from core.util.errors import SteerError

UPLOADS = "uploads"
_THREADS = 128
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
    """

    accounts: bool = False
    explore: float = 0.0
    pages: bool = True
    limits: Limits = field(default_factory=Limits)
    trusted_proxies: Sequence[str] = ()
    keep: timedelta | None = None


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
        apps, closed = _open_all(specs, runs, store, Explorer(options.explore), undo)
        authenticator = Accounts(store, load_secret(runs)) if options.accounts else NoAuth()
        app = FastAPI(
            title="Steer",
            description="Policies that were fine-tuned by reinforcement learning, at work.",
            lifespan=partial(_lifespan, apps=apps, store=store, uploads_folder=runs / UPLOADS, keep=options.keep),
            docs_url=None,  # FastAPI's page of them loads from another host
            redoc_url=None,
            openapi_url="/v1/openapi.json",
        )
        answer_with_problems(app)
        if isinstance(authenticator, Accounts):
            app.include_router(login_routes(authenticator))
        names = [each.spec.name for each in closed]
        app.include_router(health_routes(store, partial(_serving_versions, apps), out_of_order=names))
        # One by one: FastAPI looks through all routes of a router again at each router that it is in.
        every: list[OpenApp | ClosedApp] = [*apps, *closed]
        routers = {each.spec.path: each.spec.api(each.service) for each in every}
        bots = {f"steer-{each.spec.path}": each for each in every if each.spec.chat}
        complete = {name: each.spec.chat(each.service) for name, each in bots.items() if each.spec.chat}
        chat = chat_routes(complete, lambda request, name: current_principal(request).may_use(bots[name].spec.name))
        for path, router in [("", erasure_routes(store)), ("", chat), *routers.items()]:
            checks = [_key(), Depends(refuse_unknown)]
            prefix = f"/v1/{path}" if path else "/v1"
            app.include_router(router, prefix=prefix, responses=RESPONSES, dependencies=checks)
        if options.pages:
            uploads.use_folder(runs / UPLOADS)
            from core.platform.pages.layout import mount_pages

            app = mount_pages(app, apps, closed, limits=options.limits, accounts=options.accounts)
        # The last one added is the outermost.
        app.add_middleware(SharesMiddleware, limits=options.limits)
        by_path = {each.spec.path: each.spec.name for each in every}
        app.add_middleware(AuthMiddleware, authenticator=authenticator, apps=by_path)
        app.add_middleware(LimitsMiddleware, limits=options.limits)
        app.add_middleware(RequestLogMiddleware)
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(options.trusted_proxies))
        undo.pop_all()
    return app


def _open_all(
    specs: Sequence[AnyApp], runs: Path, store: Store, explorer: Explorer, undo: ExitStack
) -> tuple[list[OpenApp], list[ClosedApp]]:
    """Apps that are in order and apps that are not; `undo` closes the former."""
    apps, closed = list[OpenApp](), list[ClosedApp]()
    for spec in specs:
        opened = open_or_close(spec, runs, store, explorer, adopted_by="steer serve")
        if isinstance(opened, OpenApp):
            apps.append(opened)
            undo.callback(opened.close)
        else:
            closed.append(opened)
    if closed and not apps:
        raise SteerError(closed[0].reason)
    return apps, closed


def _serving_versions(apps: Sequence[OpenApp]) -> dict[str, str]:
    return {opened.spec.name: opened.live.current[1] for opened in apps}


def _check_admin(store: Store) -> None:
    with store.reading() as session:
        if not accounts.has_admin(session):
            raise SteerError(NOBODY)


def _key() -> Any:
    """The middleware checks the key; this only says in the description that there is one."""
    return Security(HTTPBearer(auto_error=False, scheme_name="API key"))


@asynccontextmanager
async def _lifespan(
    app: FastAPI, *, apps: Sequence[OpenApp], store: Store, uploads_folder: Path, keep: timedelta | None
) -> AsyncIterator[None]:
    """Threads, memory and jobs while the server runs; behind its last answer, close engines and store."""
    del app
    # Starlette's 40 threads, which wait for batches most of the time, would keep batches small.
    current_default_thread_limiter().total_tokens = _THREADS
    start_malloc_trim()
    freeze_gc()
    stop = threading.Event()
    jobs = [
        threading.Thread(target=job, args=(opened.service, stop), name=f"{opened.spec.name}: {name}", daemon=True)
        for opened in apps
        for name, job in opened.spec.jobs.items()
    ]
    jobs.append(threading.Thread(target=uploads.keep_clean, args=(uploads_folder, stop), name="uploads", daemon=True))
    jobs.append(threading.Thread(target=keep_house, args=(store, keep, stop), name="housekeeping", daemon=True))
    for thread in jobs:
        thread.start()
    yield
    stop.set()
    await run_in_threadpool(_close, jobs, apps, store)


def _close(jobs: Sequence[threading.Thread], apps: Sequence[OpenApp], store: Store) -> None:
    store.hurry()
    for thread in jobs:
        thread.join()
    for opened in apps:
        opened.close()
    store.close()
