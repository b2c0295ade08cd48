"""`steer serve`: FastAPI with the Gradio pages of every trained app, on one port."""

import errno
import os
import socket
import warnings
from importlib.metadata import entry_points
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from rich.console import Console

from core.errors import SteerError
from core.serving.page import Page
from core.serving.shell import build_shell, mount_options
from core.training import Run


def installed_pages() -> list[Page]:
    """The pages that installed apps register under the entry-point group `steer.pages`, in order of their names."""
    return [entry.load() for entry in sorted(entry_points(group="steer.pages"), key=lambda entry: entry.name)]


def create_app(runs: Path) -> FastAPI:
    """The web application for the trained policies in `runs`.

    Raises:
        SteerError: an app has not been trained yet.
    """
    pages = installed_pages()
    services = {page.name: page.open_service(Run(runs / page.name)) for page in pages}
    app = FastAPI(title="Steer", docs_url=None, redoc_url=None)

    @app.get("/health")
    def health() -> JSONResponse:
        return JSONResponse({"status": "ok", "apps": sorted(services)})

    shell = build_shell(pages, services)
    with warnings.catch_warnings():  # Gradio says of several pages that it switches off what `mount_options` has off
        warnings.filterwarnings("ignore", message="SSR mode is not supported")
        return gr.mount_gradio_app(app, shell, path="", **mount_options(pages))


def serve(runs: Path, host: str, port: int, console: Console) -> None:
    """Answer requests until interrupted.

    Raises:
        SteerError: the port is in use or may not be opened, or an app has not been trained yet.
    """
    check_port(host, port)
    with console.status("loading the trained policies"):
        app = create_app(runs)
    console.print(f"Steer is ready: http://{'localhost' if host == '127.0.0.1' else host}:{port} (Ctrl+C stops it)")
    uvicorn.run(app, host=host, port=port, log_level="warning")


def check_port(host: str, port: int) -> None:
    """Make sure that the port is free.

    Raises:
        SteerError: it is not, or the address cannot be listened on.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise SteerError(f"port {port} is in use; choose another one with --port {port + 1}") from error
            raise SteerError(f"cannot listen on {host}:{port}: {error.strerror}") from error
