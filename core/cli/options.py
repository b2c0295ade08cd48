"""Options that several commands share."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from core.platform.store.database import Store, open_store, sqlite_url
from core.util.errors import SteerError
from core.util.paths import runs_dir

# What it prints holds names, paths and sentences of people's own: brackets in them are no markup.
console = Console(markup=False)
Answer = TypeVar("Answer")

RunsDir = Annotated[Path | None, typer.Option("--runs", help="Folder of runs [default: $STEER_RUNS_DIR or ./runs].")]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="STEER_STORE",
        show_envvar=False,
        help="URL of the store, sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE "
        "[default: $STEER_STORE, or the content of the file $STEER_STORE_FILE, or steer.db in --runs].",
    ),
]


def open_store_from_options(url: str | None, runs: Path | None) -> Store:
    """The store at `store_url`.

    Raises:
        SteerError: It cannot be opened.
    """
    return open_store(store_url(url, runs), is_patient=True)


def asked(question: Callable[[], Answer], otherwise: str) -> Answer:
    """What whoever sits at the terminal answers.

    Args:
        question: Function that asks, by `typer.confirm` or `typer.prompt`.
        otherwise: Advice for where nobody sits there, as a sentence goes on.

    Raises:
        SteerError: Nobody does.
    """
    try:
        if sys.stdin is not None:
            return question()
    except typer.Abort:
        if sys.stdin.isatty():  # Ctrl+C
            raise
    raise SteerError(f"nobody is here to answer; {otherwise}")


def confirm(question: str) -> None:
    """Ask before something that cannot be undone.

    Raises:
        SteerError: Nobody is there to answer.
        Exit: The answer is no.
    """
    if not asked(lambda: typer.confirm(question), "nothing was changed; --yes goes on without asking"):
        raise typer.Exit(1)


def store_url(url: str | None, runs: Path | None) -> str:
    """URL of the store: the option, else the content of `STEER_STORE_FILE`, else a file in the folder of runs."""
    return url or _url_in_file() or sqlite_url((runs or runs_dir()) / "steer.db")


def _url_in_file() -> str | None:
    file = os.environ.get("STEER_STORE_FILE")
    if not file:
        return None
    try:
        url = Path(file).read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise SteerError(
            f"the file {file} that STEER_STORE_FILE names cannot be read: {error.strerror or error}"
        ) from error
    if not url:
        raise SteerError(f"the file {file} that STEER_STORE_FILE names is empty; write the URL of the store into it")
    return url
