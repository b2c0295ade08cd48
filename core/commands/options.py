"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from core.paths import runs_dir
from core.store.database import Store, open_store, sqlite_url

console = Console()

RunsDir = Annotated[Path | None, typer.Option("--runs", help="folder of runs [default: $STEER_RUNS_DIR or ./runs]")]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="STEER_STORE",
        show_envvar=False,
        help="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE [default: $STEER_STORE or steer.db in --runs]",
    ),
]


def opened_store(url: str | None, runs: Path | None) -> Store:
    """The store that the options name.

    Raises:
        SteerError: it cannot be opened.
    """
    return open_store(url or sqlite_url((runs or runs_dir()) / "steer.db"))
