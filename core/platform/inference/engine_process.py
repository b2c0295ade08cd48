"""An engine in a process of its own.

Python runs one thread at a time. Within one process a model waits at each of its steps until the threads that talk to
clients let it go on, and they wait for it: half of the processors' time is lost. vLLM keeps its engine apart from its
API server for the same reason.
"""

import atexit
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any
from weakref import WeakSet

import structlog
import torch
from threadpoolctl import threadpool_limits

from core.platform import timeouts
from core.platform.inference.fork_server import CONTEXT
from core.platform.inference.malloc_trim import freeze_gc, start_malloc_trim
from core.platform.inference.metrics import ENGINE_STARTS
from core.training.loader import load_task, open_task
from core.training.run import Run
from core.training.task import Task
from core.util.errors import SteerError, UnavailableError


@dataclass(frozen=True)
class OpenEngine:
    """Opens the engine of a task, in whichever process that is.

    Attributes:
        engine: Factory of the engine from the task and its run.
        task: Task, a class that is imported by its name; or the source that it is loaded by.
    """

    engine: Callable[[Any, Run], object]
    task: type[Task] | str

    @classmethod
    def of(cls, task: type[Task], engine: Callable[[Any, Run], object]) -> "OpenEngine":
        """What opens an engine of a task, however the task was made."""
        return cls(engine, task.source or task)

    def __call__(self, run: Run) -> object:
        """The engine on a run."""
        task = load_task(self.task) if isinstance(self.task, str) else self.task
        return self.engine(open_task(task, run), run)


class EngineProcess:
    """Processes batches in another process, and starts it anew should it die.

    Args:
        name: Name of the app.
        open_engine: Function or class that makes the engine in that process, which imports it by its name.
        run: Run that holds the policy.
        imports: Modules that every such process needs, imported once for all of them.

    Raises:
        SteerError: The engine does not open.
    """

    def __init__(self, name: str, open_engine: Callable[[Run], object], run: Run, imports: Sequence[str] = ()) -> None:
        self._name, self._open_engine, self._run = name, open_engine, run
        self._lock = threading.Lock()
        CONTEXT.set_forkserver_preload([open_engine.__module__, *imports])
        self._start()

    @property
    def pid(self) -> int:
        """Id of the process."""
        return int(self._process.pid)

    def close(self) -> None:
        """End the process; it must have nothing to do any more."""
        self._pipe.close()
        self._process.join(timeouts.ENGINE_SECONDS)
        self._process.kill()

    def run_batch(self, method: str, items: list[Any]) -> Any:
        """What a method of the engine returns for the items of a batch.

        Raises:
            UnavailableError: The process died twice over it.
            Exception: What the method raises.
        """
        with self._lock:
            try:
                return self._request(method, items)
            except (EOFError, OSError):  # killed, as a system does that runs out of memory
                structlog.get_logger().error("the engine died and is started again", app=self._name, pid=self.pid)
                self._start()
            try:
                return self._request(method, items)
            except (EOFError, OSError) as error:
                raise UnavailableError("The model stopped twice over this request; please try again later.") from error

    def _start(self) -> None:
        self._pipe, child_end = CONTEXT.Pipe()
        self._process = CONTEXT.Process(
            target=_serve, args=(child_end, self._open_engine, self._run), name=f"engine of {self._name}", daemon=True
        )
        self._process.start()
        _STARTED.add(self)
        child_end.close()
        ENGINE_STARTS.labels(self._name).inc()
        try:
            self._receive()
        except (EOFError, OSError) as error:
            raise UnavailableError(
                f"the engine of {self._name} died while it opened; is there memory enough?"
            ) from error

    def _request(self, method: str, items: list[Any]) -> Any:
        self._pipe.send((method, items))
        return self._receive()

    def _receive(self) -> Any:
        is_result, content = self._pipe.recv()
        if is_result:
            return content
        if isinstance(content, SteerError):
            raise content
        raise RuntimeError(f"the engine of {self._name} failed") from _RemoteError(content)


_STARTED: WeakSet[EngineProcess] = WeakSet()


@atexit.register
def _close_all() -> None:
    """End what nobody closed, as where a server does not start: multiprocessing would wait for it for ever."""
    for process in list(_STARTED):
        process.close()


def threads_beside_clients() -> int:
    """Threads for an engine: with all that PyTorch may use, each step would wait for the one that clients hold up."""
    return max(1, torch.get_num_threads() - 1)


def use_threads(count: int) -> None:
    """Let PyTorch, NumPy and FAISS compute with so many threads."""
    torch.set_num_threads(count)
    threadpool_limits(count)


def _serve(pipe: Connection, open_engine: Callable[[Run], object], run: Run) -> None:
    """Open the engine, and process what comes through the pipe until nobody holds its other end any more."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the server's to obey: it has requests to finish
        signal.signal(number, signal.SIG_IGN)
    use_threads(threads_beside_clients())
    start_malloc_trim()
    with suppress(EOFError, OSError):
        is_open, engine = _tried(partial(open_engine, run))
        freeze_gc()
        pipe.send((is_open, None if is_open else engine))
        while is_open:
            method, items = pipe.recv()
            pipe.send(_tried(partial(getattr(engine, method), items)))


class _RemoteError(Exception):
    """The traceback of an error in the other process, for the log: a message may be shown to anybody."""


def _tried(call: Callable[[], Any]) -> tuple[bool, Any]:
    """Whether a call succeeds, and its result or else the error: one for users, or the traceback of another."""
    try:
        return True, call()
    except SteerError as error:
        return False, error
    except Exception as error:
        return False, "".join(traceback.format_exception(error))
