"""The fork server that engines come from: it imports what they need once for all of them.

It forks before there is a thread that a fork could harm. This module imports nothing large itself, so that a server can
start it first and import its own half meanwhile.
"""

import multiprocessing
from collections.abc import Sequence
from importlib.metadata import entry_points
from multiprocessing import forkserver
from typing import Any

_HAS_FORK_SERVER = "forkserver" in multiprocessing.get_all_start_methods()
CONTEXT: Any = multiprocessing.get_context("forkserver" if _HAS_FORK_SERVER else "spawn")


def start_fork_server(names: Sequence[str]) -> None:
    """Begin to import what engines need, in another process; the first engine waits for what is missing then.

    Args:
        names: Names of the apps whose engines will be asked for; all installed ones without any.
    """
    if _HAS_FORK_SERVER:
        tasks = [entry.module for entry in entry_points(group="steer.tasks") if not names or entry.name in names]
        CONTEXT.set_forkserver_preload(["core.platform.inference.engine_process", *tasks])
        forkserver.ensure_running()
