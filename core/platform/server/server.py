"""`steer serve`: the web application on one port."""

import os
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from rich.console import Console

from core.platform import timeouts
from core.platform.apps.spec import AnyApp
from core.platform.auth.middleware import check_public
from core.platform.auth.secret import load_secret
from core.platform.http.logs import set_up_logs
from core.platform.server.application import NOBODY, Serving, create_app
from core.platform.server.ports import check_port
from core.platform.store.database import Store, is_new, open_store
from core.platform.versions.library import VERSIONS, Library, check_trained
from core.util.errors import SteerError


def serve(
    specs: Sequence[AnyApp],
    runs: Path,
    store: str,
    options: Serving,
    host: str,
    port: int,
    console: Console,
    *,
    json_logs: bool = False,
) -> None:
    """Answer requests until interrupted; then finish those that have begun.

    Args:
        specs: Apps to serve.
        runs: Folder of runs and model versions.
        store: URL of the store with what must outlive the process.
        options: Options of serving.
        host: Address to listen on.
        port: Port to listen on.
        console: Console to print on.
        json_logs: Whether log lines are for machines.

    Raises:
        SteerError: The port is in use or may not be opened, others could get in without an account, or an app has not
            been trained yet and no workspaces are made here.
    """
    makes_workspaces = options.workspaces and options.pages
    check_start([] if makes_workspaces else specs, runs, store, options, host, port)
    set_up_logs(as_json=json_logs)
    opened = open_store(store)
    if makes_workspaces:  # whoever comes with data of their own need not train the examples before
        specs, left_out = _divided(specs, runs, opened)
        if left_out:
            console.print(f"Not trained, so not served: {', '.join(left_out)} (`steer demo` trains what is missing)")
    with console.status("loading the trained policies"):
        app = create_app(specs, runs, opened, options)
    console.print(f"Steer is ready: http://{'localhost' if host == '127.0.0.1' else host}:{port} (Ctrl+C stops it)")
    uvicorn.run(
        app,
        host=host,
        port=port,
        http="httptools",  # what the tests attack; without a name, it would be whichever is installed
        ws="none",
        proxy_headers=False,  # the application has a middleware of its own for them
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=timeouts.GRACE_SECONDS,
        backlog=512,
    )


def serve_replicas(
    names: Sequence[str],
    runs: Path,
    store: str,
    options: Serving,
    host: str,
    port: int,
    replicas: int,
    *,
    json_logs: bool = False,
) -> None:
    """Answer requests in several processes behind Ray Serve until interrupted.

    Args:
        names: Names of the apps to serve, or absolute paths of files with a task, which all processes see; each finds
            its apps by itself. All apps without any.
        runs: Folder of runs and model versions, which all processes see.
        store: URL of the store, which all processes reach.
        options: Options of serving; without pages, since those keep what a visitor does in one process.
        host: Address to listen on.
        port: Port to listen on.
        replicas: Number of processes.
        json_logs: Whether log lines are for machines.

    Raises:
        SteerError: See `serve`; or the extra `ray` is not installed.
    """
    from core.platform.pages.task_app import find_apps
    from core.platform.server.replicas import serve_replicas as start

    check_start(find_apps(names), runs, store, options, host, port)
    secret = load_secret(runs) if options.accounts else None

    def make_app() -> FastAPI:
        if secret is not None:  # whoever logs in at one machine is known at the others
            os.environ["STEER_SECRET"] = secret
        return create_app(find_apps(names), runs, open_store(store), options)

    start(make_app, host, port, replicas, options.trusted_proxies, json_logs=json_logs)


def check_start(specs: Sequence[AnyApp], runs: Path, store: str, options: Serving, host: str, port: int) -> None:
    """Check what can be checked before anything is made: a server that does not start leaves nothing behind.

    Raises:
        SteerError: See `serve`.
    """
    check_port(host, port)
    check_public(host, auth=options.accounts)
    check_trained([spec.name for spec in specs], runs, store)
    if options.accounts and is_new(store):
        raise SteerError(NOBODY)


def _divided(specs: Sequence[AnyApp], runs: Path, store: Store) -> tuple[list[AnyApp], list[str]]:
    """The apps that have a policy to serve, and the names of those that have none yet."""
    library = Library(store, runs / VERSIONS)
    ready = [spec for spec in specs if library.has_policy(spec.name, runs)]
    return ready, [spec.name for spec in specs if spec not in ready]
