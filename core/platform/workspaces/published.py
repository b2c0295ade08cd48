"""The workspaces that were made on the page and published: what a server without names serves besides the apps."""

from pathlib import Path

from core.platform.jobs.runner import WORKSPACES
from core.platform.store import versions
from core.platform.store.database import Store
from core.training.workspace import FILE


def published(store: Store, runs: Path) -> dict[Path, int]:
    """Folders of the workspaces of which a version serves, each with the number of the last promotion.

    They are in the order in which they were first published, so that a new one stands behind the others.

    Args:
        store: Store with the versions.
        runs: Folder of runs, which the workspaces lie below.

    Raises:
        UnavailableError: The store does not answer.
    """
    folders = [file.parent for file in (runs / WORKSPACES).glob(f"*/{FILE}")]
    with store.reading() as session:
        histories = {folder: versions.history(session, folder.name) for folder in folders}
    first = sorted((promotions[0].id, folder) for folder, promotions in histories.items() if promotions)
    return {folder: histories[folder][-1].id for _, folder in first}
