"""`steer work`: a process that takes entries from a queue."""

import threading
from typing import Annotated

import typer

from core.cli.options import RunsDir, StoreUrl, store_url
from core.util.paths import runs_dir


def work(
    name: Annotated[str, typer.Argument(help="Name of an app with a queue, such as finance_monitor, or a workspace.")],
    queue: Annotated[str, typer.Option(help="Address of the stream, redis://HOST:PORT/NUMBER/NAME.")],
    runs: RunsDir = None,
    store: StoreUrl = None,
    json_logs: Annotated[bool, typer.Option("--json-logs", help="Write log lines as JSON.")] = False,
) -> None:
    """Process a Redis stream into the store; start as many workers as you like.

    A publisher sends each entry once or more often under the same key: it counts once.
    """
    from core.platform.apps.worker import stop_on_signal
    from core.platform.apps.worker import work as start
    from core.platform.http.logs import set_up_logs
    from core.platform.pages.task_app import find_apps

    [spec] = find_apps([name])
    set_up_logs(as_json=json_logs)
    stop = threading.Event()
    stop_on_signal(stop)
    start(spec, runs or runs_dir(), store_url(store, runs), queue, stop)
