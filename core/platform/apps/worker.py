"""A worker process that takes entries from a queue into the store, beside the servers."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import structlog

from core.platform.apps.opening import open_app
from core.platform.apps.spec import AnyApp
from core.platform.queues.connection import split_address
from core.platform.queues.consumer import Consumer
from core.platform.queues.stream import Entry, Stream
from core.platform.store.database import open_store
from core.platform.versions.library import check_trained
from core.rl.explore import Explorer
from core.util.errors import SteerError, UnavailableError

_GROUP = "steer"
_BATCH_SIZE = 200
_IDLE = timedelta(seconds=30)
_PAUSE_SECONDS = 1.0


def work(spec: AnyApp, runs: Path, store_url: str, address: str, stop: threading.Event) -> None:
    """Take entries for an app until told to stop; several workers share them.

    An entry is done only when what came of it is in the store, so a worker that is killed leaves it to the others.

    Args:
        spec: Specification of the app.
        runs: Folder of runs and model versions.
        store_url: URL of the store that keeps what comes of the entries.
        address: Address of the stream, redis://HOST:PORT/NUMBER/NAME.
        stop: Event that is set from outside to end after the present entries.

    Raises:
        SteerError: The app takes nothing from queues, has not been trained yet, or the address is wrong.
    """
    if spec.take is None:
        raise SteerError(f"{spec.name} takes nothing from queues")
    consumer = Consumer(
        Stream(*split_address(address)), _GROUP, f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}", idle=_IDLE
    )
    check_trained([spec.name], runs, store_url)
    with ExitStack() as undo:
        store = open_store(store_url)
        undo.callback(store.close)
        app = open_app(spec, runs, store, Explorer(), adopted_by="steer work", apart=False)
        undo.callback(app.close)
        undo.callback(store.hurry)
        log = structlog.get_logger()
        log.info("working", app=spec.name, stream=consumer.stream.name, version=app.live.current[1])
        while not stop.is_set():
            _take_some(consumer, partial(spec.take, app.service), stop)


def stop_on_signal(stop: threading.Event) -> None:
    """Let Ctrl+C and SIGTERM set an event."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())


def _take_some(
    consumer: Consumer, take: Callable[[Sequence[Entry]], list[tuple[Entry, str]]], stop: threading.Event
) -> None:
    try:
        entries = consumer.take(_BATCH_SIZE)
        failed = _failed(take, entries)
        consumer.done([entry for entry in entries if entry.id not in failed])
        for entry in entries:
            reason, is_certain = failed.get(entry.id, ("", False))
            if is_certain or (reason and entry.attempts >= consumer.attempts):
                consumer.give_up(entry, reason)
    except UnavailableError as error:  # the queue or the store: nothing is lost, others may get the entries meanwhile
        structlog.get_logger().warning("waiting", reason=error.reason)
        stop.wait(_PAUSE_SECONDS)


def _failed(
    take: Callable[[Sequence[Entry]], list[tuple[Entry, str]]], entries: Sequence[Entry]
) -> dict[str, tuple[str, bool]]:
    """Process entries, each by itself where they fail together: what is wrong with one costs the others nothing.

    Returns:
        By the id of an entry: why it failed, and whether it always will. One that met an unexpected error stays with
        the group, which hands it out again in a while.
    """
    if not entries:
        return {}
    try:
        return {entry.id: (reason, True) for entry, reason in take(entries)}
    except UnavailableError:
        raise
    except Exception as error:  # whatever an app, a model or the store can raise
        if len(entries) > 1:
            return {key: reason for entry in entries for key, reason in _failed(take, [entry]).items()}
        is_known = isinstance(error, SteerError)
        structlog.get_logger().error("entry failed", id=entries[0].id, exc_info=None if is_known else error)
        return {entries[0].id: (str(error) or type(error).__name__, is_known)}
