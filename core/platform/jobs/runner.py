"""The runner of a server: takes one job at a time from the queue, and does it in a process of its own."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import structlog

from core.platform.store import jobs
from core.platform.store.database import Store
from core.platform.store.schema import Job, new_id
from core.util.errors import UnavailableError

WORKSPACES = "workspaces"  # folder of those that were made on the page, beside the runs
_LOOK_SECONDS = 1.0
_BEAT_SECONDS = 2.0  # several of them fit into `jobs.LEASE`
_KILL_SECONDS = 5.0


class JobRunner:
    """Does jobs until it is told to stop.

    Args:
        store: Store with the queue.
        runs: Folder of runs, and of the workspaces that were made on the page.
    """

    def __init__(self, store: Store, runs: Path) -> None:
        self._store, self._runs, self._id = store, runs, new_id()

    def run(self, stop: threading.Event) -> None:
        """Take jobs, oldest first; the one that is not done when the event is set goes back into the queue."""
        while not stop.wait(_LOOK_SECONDS):
            try:
                job = self._take()
            except UnavailableError:  # the store itself logs that it is out
                continue
            if job is not None:
                self._do(job, stop)

    def _take(self) -> Job | None:
        with self._store.reading() as session:
            if not jobs.is_any_free(session):
                return None
        with self._store.transaction() as session:
            return jobs.take(session, self._id)

    def _do(self, job: Job, stop: threading.Event) -> None:
        log = structlog.get_logger().bind(workspace=job.workspace, job=job.id)
        log.info("job begins", attempt=job.attempts)
        process = _Process(self._runs / WORKSPACES / job.workspace, self._runs)
        while process.is_running(_BEAT_SECONDS, stop):
            if stop.is_set():
                process.kill()
                self._note(lambda session: jobs.give_back(session, job.id, self._id))
                return
            if self._note(lambda session: jobs.is_mine(session, job.id, self._id, process.progress)) is False:
                process.kill()
                log.info("job is cancelled, or another server's")
                return
        error = process.error()
        self._note(lambda session: jobs.is_mine(session, job.id, self._id, process.progress))
        self._note(lambda session: jobs.end(session, job.id, self._id, error))
        log.info("job ends", error=error)

    def _note(self, change: Any) -> Any:
        """What a change of the store returns; None where the store does not answer: it is asked again soon."""
        try:
            with self._store.transaction() as session:
                return change(session)
        except UnavailableError:
            return None


class _Process:
    """A process of `core.platform.jobs.process`, and the last that it said."""

    def __init__(self, folder: Path, runs: Path) -> None:
        command = [sys.executable, "-m", "core.platform.jobs.process", str(folder), str(runs)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        self.progress: dict[str, Any] = {}
        self._error = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def is_running(self, seconds: float, stop: threading.Event) -> bool:
        """Whether it still runs after some seconds, or when the event is set."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not stop.wait(0.1):
            if self._process.poll() is not None:
                return False
        return self._process.poll() is None

    def kill(self) -> None:
        """End it; what it has learnt is in its last checkpoint."""
        self._process.terminate()
        try:
            self._process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close()

    def error(self) -> str:
        """Why it failed; empty where it did not."""
        status = self._process.wait()
        self._close()
        if status == 0:
            return ""
        if status < 0:
            return f"The training was killed by signal {-status}; is there memory enough? Train again to go on."
        return self._error or "The training failed unexpectedly; the server's log says more."

    def _close(self) -> None:
        self._reader.join()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            self.progress = told.get("progress", self.progress)
            self._error = told.get("error", self._error)
