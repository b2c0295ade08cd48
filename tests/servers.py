"""A real `steer serve` for the tests, beside the databases that they share with the benchmarks."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from testing.servers import Postgres, Redis, Server, free_port

__all__ = [
    "Postgres",
    "Redis",
    "Server",
    "fill",
    "free_port",
    "read_only",
    "small_disk",
    "steer_process",
    "steer_server",
]


@contextmanager
def steer_server(runs: Path, log: Path, *options: str) -> Iterator[str]:
    """A running `steer serve`; its address."""
    with steer_process(runs, log, *options) as (address, _):
        yield address


@contextmanager
def steer_process(runs: Path, log: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A running `steer serve`; its address and its process."""
    port = free_port()
    command = [sys.executable, "-m", "core", "serve", "--runs", str(runs), "--port", str(port), *options]
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
    try:
        for _ in range(600):
            try:
                with urlopen(f"{address}/health", timeout=2):
                    break
            except (URLError, OSError):
                assert process.poll() is None, log.read_text()
                time.sleep(0.5)
        else:
            raise AssertionError("the server did not answer: " + log.read_text())
        yield address, process
    finally:
        process.terminate()
        process.wait(timeout=60)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A real file system of a few megabytes at a folder, which fills up; skips where nobody may mount one."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "steer-test", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system takes the right to mount one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """A folder in which nobody can make anything: for root, to whom modes mean nothing, a file system of its own."""
    if os.getuid() == 0:
        with small_disk(folder, 1):
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
            yield folder
    else:
        folder.mkdir(mode=0o555)
        yield folder


def fill(folder: Path) -> Path:
    """Leave no byte free on a file system; the file that takes them."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(bytes(4096))
    return filler
