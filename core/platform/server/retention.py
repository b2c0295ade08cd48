"""Housekeeping beside the server: what is older than it is to be kept goes, and so do its traces in the file."""

import threading
from datetime import timedelta

import structlog

from core.platform.store.database import Store
from core.platform.store.erasure import purge
from core.platform.store.schema import now
from core.util.errors import SteerError

_PAUSE_SECONDS = 3600.0


def keep_house(store: Store, keep: timedelta | None, stop: threading.Event) -> None:
    """Purge and scrub once an hour, and a last time on the way out.

    Args:
        store: Store to keep tidy.
        keep: Age up to which conversations, decisions and news are kept; None for any.
        stop: Event that is set from outside to end.
    """
    while not stop.is_set():
        _tidy(store, keep)
        stop.wait(_PAUSE_SECONDS)
    _tidy(store, None)


def _tidy(store: Store, keep: timedelta | None) -> None:
    log = structlog.get_logger()
    try:
        if keep is not None and (rows := purge(store, now() - keep)):
            store.scrubber.has_traces = True
            log.info("purged", rows=rows, older_than_days=keep.days)
        if store.scrubber.has_traces:
            store.scrubber.scrub()
    except SteerError as error:  # somebody reads, or the store is down: an hour later is early enough
        log.warning("not purged", reason=str(error))
