"""`steer models list | show | publish | promote | rollback | export | import`: versions of the apps' policies."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from core.cli.options import RunsDir, StoreUrl, console, open_store_from_options
from core.platform.store import versions
from core.platform.store.schema import ModelVersion, Promotion
from core.platform.versions.manifest import verify
from core.platform.versions.metrics import Metrics
from core.util.paths import runs_dir

if TYPE_CHECKING:
    from core.platform.versions.library import Library

app = typer.Typer()

App = Annotated[str, typer.Argument(help="Name of an app, such as customer_service.")]
TaskName = Annotated[
    str, typer.Argument(metavar="APP", help="Name of an app, a workspace's folder, or a file with a task.")
]
Version = Annotated[str, typer.Argument(help="Name of a version, such as v0002.")]


@app.command("list", epilog="Example: `steer models list customer_service`")
def list_versions(
    name: Annotated[str | None, typer.Argument(metavar="[APP]", help="Name of an app; all apps by default.")] = None,
    runs: RunsDir = None,
    store: StoreUrl = None,
) -> None:
    """Show the versions, and which of them serves."""
    with open_store_from_options(store, runs).reading() as session:
        found = versions.registered(session, name)
        serving = [versions.current(session, app_name) for app_name in dict.fromkeys(version.app for version in found)]
    table = Table("app", "version", "", "reward [95 % interval]", "created", "note")
    for version in found:
        state = "serves" if version in serving else ""
        created = f"{version.created:%Y-%m-%d %H:%M}"
        table.add_row(version.app, version.name, state, _reward(version), created, version.note)
    console.print(table)


@app.command(epilog="Example: `steer models show customer_service v0002`")
def show(name: App, version: Version, runs: RunsDir = None, store: StoreUrl = None) -> None:
    """Show a version's files, what it was measured to earn, and when it was promoted."""
    library = _library(runs, store)
    found = library.version(name, version)
    manifest = verify(library.path(found))
    metrics = Metrics.model_validate(found.metrics)
    _say(f"{name} {version}: {found.note or 'no note'}, {found.created:%Y-%m-%d %H:%M} UTC")
    _say(f"in {library.path(found)}, registered by Steer {manifest.steer}, data {manifest.data}")
    _say(f"reward on {len(metrics.returns)} test episodes: {_reward(found)}")
    for other, reward in metrics.others.items():
        _say(f"reward on {other}: {reward}")
    table = Table("file", "sha256")
    for file, digest in manifest.files.items():
        table.add_row(file, digest)
    console.print(table)
    with library.store.reading() as session:
        for promotion in versions.history(session, name):
            if promotion.version == version:
                _say(_sentence(promotion))


@app.command(epilog="Example: `steer models publish customer_service`")
def publish(name: TaskName, runs: RunsDir = None, store: StoreUrl = None) -> None:
    """Make the trained and evaluated run a version; it does not serve yet."""
    from core.training.loader import load_task

    version = _library(runs, store).publish(load_task(name), runs or runs_dir())
    _say(f"{name} {version.name}: `steer models promote {name} {version.name}` lets it serve")


@app.command(epilog="Example: `steer models promote customer_service v0002`")
def promote(
    name: TaskName,
    version: Version,
    reason: Annotated[str, typer.Option(help="Reason to let it serve although it is measurably worse.")] = "",
    runs: RunsDir = None,
    store: StoreUrl = None,
) -> None:
    """Let a version serve, at once and without a restart; a measurably worse one needs a reason."""
    from core.platform.versions import promotion
    from core.training.loader import load_task

    _say(_sentence(promotion.promote(_library(runs, store), load_task(name), version, operator(), reason)))


@app.command(epilog="Example: `steer models rollback customer_service`")
def rollback(name: App, runs: RunsDir = None, store: StoreUrl = None) -> None:
    """Let the version that served before the present one serve again."""
    from core.platform.versions import promotion

    _say(_sentence(promotion.rollback(_library(runs, store), name, operator())))


@app.command(epilog="Example: `steer models export customer_service v0002 bot.zip`")
def export(
    name: App,
    version: Version,
    file: Annotated[Path, typer.Argument(help="Zip file to write.")],
    runs: RunsDir = None,
    store: StoreUrl = None,
) -> None:
    """Write a version into one file, for another machine."""
    from core.platform.versions.archive import export_version

    _say(f"{name} {version} is in {export_version(_library(runs, store), name, version, file)}")


@app.command("import", epilog="Example: `steer models import bot.zip`")
def import_(
    file: Annotated[Path, typer.Argument(help="Zip file that `steer models export` wrote.")],
    runs: RunsDir = None,
    store: StoreUrl = None,
) -> None:
    """Register the version that a file holds, after checking everything in it; it does not serve yet."""
    from core.platform.versions.archive import import_version

    version = import_version(_library(runs, store), file)
    _say(f"{version.app} {version.name}: `steer models promote {version.app} {version.name}` lets it serve")


def _library(runs: Path | None, store: str | None) -> "Library":
    from core.platform.versions.library import VERSIONS, Library

    return Library(open_store_from_options(store, runs), (runs or runs_dir()) / VERSIONS)


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True)


def _reward(version: ModelVersion) -> str:
    reward = Metrics.model_validate(version.metrics).reward
    return "not measured" if reward is None else str(reward)


def _sentence(promotion: Promotion) -> str:
    reason = f" ({promotion.reason})" if promotion.reason else ""
    when = f"{promotion.time:%Y-%m-%d %H:%M} UTC"
    who = promotion.who or "somebody who is erased"
    return f"{promotion.app} {promotion.version}: promoted by {who} at {when}{reason}"


def operator() -> str:
    """Name of the user who runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "somebody"
