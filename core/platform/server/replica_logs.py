"""Log lines of replicas, which appear where those of a single process do: on the standard error of `steer serve`."""

import io
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from core.platform.http.logs import set_up_logs

_MOST_LINES = 10_000  # that wait; what more comes is lost rather than kept for ever
_LOOK_SECONDS = 1.0


class _Sender(io.StringIO):
    """A stream whose lines a thread sends to a queue of Ray's, so that no request waits for that."""

    def __init__(self, remote: Any) -> None:
        self._remote, self._lines = remote, queue.Queue[str](_MOST_LINES)
        threading.Thread(target=self._send, name="log", daemon=True).start()

    def write(self, text: str) -> int:
        with suppress(queue.Full):
            self._lines.put_nowait(text)
        return len(text)

    def _send(self) -> None:
        while True:
            lines = [self._lines.get()]
            with suppress(queue.Empty):
                while True:
                    lines.append(self._lines.get_nowait())
            with suppress(Exception):  # whatever Ray raises while a cluster comes and goes
                self._remote.put_nowait("".join(lines))


@contextmanager
def gathered_logs(*, as_json: bool) -> Iterator[Callable[[], None]]:
    """Print what replicas log within the block.

    Args:
        as_json: Whether lines are for machines.

    Returns:
        Function for each replica to call first: it sets up its log.
    """
    from ray.util.queue import Queue

    remote = Queue(_MOST_LINES, actor_options={"num_cpus": 0})
    stop = threading.Event()
    printing = threading.Thread(target=_print, args=(remote, stop), name="logs of replicas", daemon=True)
    printing.start()
    try:
        yield lambda: set_up_logs(as_json=as_json, stream=_Sender(remote))
    finally:
        stop.set()
        printing.join()
        remote.shutdown()


def _print(remote: Any, stop: threading.Event) -> None:
    from ray.util.queue import Empty

    while True:
        with suppress(Exception):
            try:
                sys.stderr.write(remote.get(timeout=_LOOK_SECONDS))
                sys.stderr.flush()
                continue
            except Empty:
                pass
        if stop.is_set():
            return
