"""`steer doctor`: what is there, what is missing, and what to do about it."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from core.cli import checks
from core.cli.checks import Finding
from core.cli.options import RunsDir, StoreUrl, console, store_url
from core.util.errors import SteerError
from core.util.files import write_json
from core.util.paths import runs_dir

_STYLES = {"ok": "green", "note": "yellow", "missing": "bold red"}


def doctor(
    runs: RunsDir = None,
    store: StoreUrl = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port that `steer serve` is to listen on.")] = 7860,
    json: Annotated[Path | None, typer.Option("--json", help="File to write the report to.")] = None,
) -> None:
    """Tell what is there and what is missing, with a remedy; status 1 if something that is needed is missing.

    Nothing is fetched, made or changed.
    """
    table = Table(*(Column(name, overflow="fold") for name in ("state", "what", "found", "remedy")))
    found = []
    with console.status("looking"):
        for finding in _findings(runs or runs_dir(), store, port):
            found.append(finding)
            state = Text(finding.state, style=_STYLES[finding.state])
            table.add_row(state, finding.subject, finding.found, finding.remedy)
    console.print(table)
    missing = [finding.subject for finding in found if finding.state == "missing"]
    console.print(f"missing: {', '.join(missing)}" if missing else "everything that is needed is there")
    if json is not None:
        write_json(json, {"ok": not missing, "findings": [asdict(finding) for finding in found]})
    if missing:
        raise typer.Exit(1)


def _findings(runs: Path, store: str | None, port: int) -> Iterator[Finding]:
    yield checks.check_python()
    yield from checks.check_packages()
    yield checks.check_torch()
    yield from checks.check_weights()
    yield checks.check_folder("runs", runs, "STEER_RUNS_DIR=FOLDER or --runs FOLDER")
    yield checks.check_cache()
    try:
        yield checks.check_store(store_url(store, runs))
    except SteerError as error:  # the file that holds the URL cannot be read
        yield Finding("store", "missing", str(error), "mend STEER_STORE_FILE")
    yield checks.check_port("127.0.0.1", port)
