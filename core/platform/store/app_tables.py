"""The tables that apps bring along, each app with a history of migrations of its own."""

from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path


def migrations() -> dict[str, Path]:
    """Folders of migrations by the names of their version tables: the platform's, then those of installed apps.

    Apps name the module with their tables under the entry-point group `steer.tables`; beside it stands the folder
    `migrations`. From then on `Table.metadata` knows the tables.
    """
    found = {"alembic_version": Path(__file__).parent / "migrations" / "versions"}
    for entry in sorted(entry_points(group="steer.tables"), key=lambda entry: entry.name):
        entry.load()
        found[f"alembic_version_{entry.name}"] = Path(str(files(entry.module.rpartition(".")[0]))) / "migrations"
    return found
