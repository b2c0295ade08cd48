"""A process that works off a queue into the store, beside the servers."""

import os
import signal
import socket
import threading
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import structlog

from core.platform.http.application import build_service
from core.platform.pages.app_spec import Page, Take
from core.platform.queues.connection import split_address
from core.platform.queues.consumer import Consumer
from core.platform.queues.stream import Stream
from core.platform.store.database import Store
from core.platform.versions.library import VERSIONS, Library
from core.platform.versions.live import Live
from core.rl.explore import Explorer
from core.training.loader import load_task
from core.util.errors import SteerError, UnavailableError

_GROUP = "steer"
_AT_ONCE = 200
_IDLE = timedelta(seconds=30)
_PAUSE_SECONDS = 1.0


def work(page: Page, runs: Path, store: Store, address: str, stop: threading.Event) -> None:
    """Take entries for an app until told to stop; several workers share them.

    An entry is done only when what came of it is in the store, so a worker that is killed leaves it to the others.

    Args:
        page: of the app.
        runs: folder of runs and model versions.
        store: where what comes of the entries is kept.
        address: redis://HOST:PORT/NUMBER/NAME of the stream.
        stop: set from outside to end after the present entries.

    Raises:
        SteerError: the app takes nothing from queues, has not been trained yet, or the address is wrong.
    """
    if page.take is None:
        raise SteerError(f"{page.name} takes nothing from queues")
    consumer = Consumer(
        Stream(*split_address(address)), _GROUP, f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}", idle=_IDLE
    )
    library = Library(store, runs / VERSIONS)
    library.adopt(load_task(page.name), runs, "steer work")
    live: Live[object] = Live(library, page.name, partial(build_service, page, apart=False))
    desk = page.open_desk(store, live, Explorer())
    structlog.get_logger().info("working", app=page.name, stream=consumer.stream.name, version=live.current[1])
    try:
        while not stop.is_set():
            _take_some(consumer, partial(page.take, desk), stop)
    finally:
        live.close()


def stop_on_signal(stop: threading.Event) -> None:
    """Let Ctrl+C and SIGTERM set an event."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())


def _take_some(consumer: Consumer, take: Take, stop: threading.Event) -> None:
    try:
        entries = consumer.take(_AT_ONCE)
        refused = take(entries) if entries else []
        for entry, reason in refused:
            consumer.give_up(entry, reason)
        wrong = {entry.id for entry, _ in refused}
        consumer.done([entry for entry in entries if entry.id not in wrong])
    except UnavailableError as error:  # the queue or the store: nothing is lost, others may get the entries meanwhile
        structlog.get_logger().warning("waiting", reason=str(error))
        stop.wait(_PAUSE_SECONDS)
