"""`steer store`: what the store holds, its backup, and its restore."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from core.cli.options import RunsDir, StoreUrl, asked, confirm, console, open_store_from_options
from core.platform.store import erasure, summary
from core.platform.store.backup import OnProgress
from core.platform.store.backup import backup as back_up
from core.platform.store.database import Store, shown_url
from core.platform.store.restore import restore as put_back
from core.platform.store.schema import now

app = typer.Typer(no_args_is_help=True, help="The store: what it holds, its backup, and its restore.")


@app.command(epilog="Example: `steer store backup steer-2026-03-01.zip`")
def backup(
    file: Annotated[Path, typer.Argument(help="File to write; what was there before is replaced.")],
    store: StoreUrl = None,
    runs: RunsDir = None,
) -> None:
    """Write the whole store into one file, as it is at one moment, while the server goes on."""
    opened = open_store_from_options(store, runs)
    with _progress("backing up") as on_progress:
        contents = back_up(opened, file, on_progress)
    console.print(f"{contents.rows} rows of {_url(opened)} are in {file}", soft_wrap=True)


@app.command(epilog="Example: `steer store restore steer-2026-03-01.zip --store postgresql://steer@db/steer`")
def restore(
    file: Annotated[Path, typer.Argument(help="Backup that `steer store backup` wrote, on either engine.")],
    replace: Annotated[bool, typer.Option("--replace", help="Remove what the store holds now.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before removing anything.")] = False,
    store: StoreUrl = None,
    runs: RunsDir = None,
) -> None:
    """Fill the store from a backup, whole or not at all; stop the server first."""
    opened = open_store_from_options(store, runs)
    if replace and not yes:
        _confirm(opened)
    with _progress("restoring") as on_progress:
        contents = put_back(opened, file, on_progress, replace=replace)
    console.print(
        f"{_url(opened)} holds the {contents.rows} rows of {contents.time:%Y-%m-%d %H:%M:%S} UTC",
        soft_wrap=True,
    )


@app.command(epilog="Example: `steer store purge --older-than 90`")
def purge(
    older_than: Annotated[int, typer.Option(metavar="DAYS", min=1, help="Age in days from which on it goes.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
    store: StoreUrl = None,
    runs: RunsDir = None,
) -> None:
    """Remove old conversations, decisions, opinions, likes, news and resolved alerts; servers may go on meanwhile."""
    opened, before = open_store_from_options(store, runs), now() - timedelta(days=older_than)
    if not yes:
        with opened.transaction() as session:
            rows = erasure.expired(session, before)
        confirm(f"Remove {rows} rows of before {before:%Y-%m-%d %H:%M} UTC, and all that belongs to them?")
    rows = erasure.purge(opened, before)
    opened.scrubber.scrub()
    console.print(f"{rows} rows of before {before:%Y-%m-%d %H:%M} UTC are gone from {_url(opened)}")


@app.command(epilog="Example: `steer store show --store postgresql://steer@db/steer`")
def show(store: StoreUrl = None, runs: RunsDir = None) -> None:
    """Show where the store is, the revision of its tables, and their numbers of rows."""
    opened = open_store_from_options(store, runs)
    with opened.reading() as session:
        revision, counts = summary.revision(session), summary.row_counts(session)
    console.print(f"{_url(opened)}, revision {revision}", soft_wrap=True)
    table = Table("table", "rows")
    for name, rows in counts.items():
        table.add_row(name, str(rows))
    console.print(table)


def _confirm(store: Store) -> None:
    with store.reading() as session:
        held = sum(summary.row_counts(session).values())
    question = f"Remove the {held} rows that {_url(store)} holds?"
    if held and not asked(lambda: typer.confirm(question), "remove them without being asked by --yes"):
        raise typer.Abort


def _url(store: Store) -> str:
    return shown_url(store.url)


@contextmanager
def _progress(what: str) -> Iterator[OnProgress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
