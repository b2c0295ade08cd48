"""A real server as a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

_PATIENCE_SECONDS = 300
# All clients come from one address.
_RATE = 1_000_000


class Server:
    """`steer serve` on a free port, ready to answer.

    Args:
        runs: folder of runs.
        store: URL of the store; by default a file in `runs`.
        options: further ones of the command.
    """

    def __init__(self, runs: Path, store: str | None = None, options: Sequence[str] = ()) -> None:
        self.runs, self.store, self.options = runs, store, options
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it can answer."""
        command = [sys.executable, "-m", "core", "serve", "--runs", str(self.runs), "--port", str(self.port)]
        command += ["--rate", str(_RATE)]
        command += [*(["--store", self.store] if self.store else []), *self.options]
        log = (self.runs / f"server-{self.port}.log").open("ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ)
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            try:
                if httpx.get(f"{self.address}/ready", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                if self.process.poll() is not None:
                    break
            time.sleep(0.2)
        raise RuntimeError(f"the server did not start; see {log.name}")

    def kill(self) -> None:
        """At once, with no chance to tidy up."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it gracefully."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(timeout=60)
