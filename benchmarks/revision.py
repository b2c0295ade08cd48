"""Source trees of earlier revisions, and Python programs in a source tree."""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.util.errors import SteerError

ROOT = Path(__file__).parents[1]
# What the house was before it got two wings, and before a demo spared the tools of the tests.
BEFORE = "00ededc"


@contextmanager
def source_of(revision: str) -> Iterator[Path]:
    """A temporary folder with the files of a revision.

    Raises:
        SteerError: The checkout's history does not reach back to it.
    """
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, check=False, capture_output=True)
    if archive.returncode:
        reason = archive.stderr.decode().strip()
        raise SteerError(f"cannot read revision {revision} ({reason}); fetch the whole history: git fetch --unshallow")
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(scratch, filter="data")
        yield Path(scratch)


def python_in(tree: Path, *arguments: str) -> str:
    """The last line that a Python program prints whose `core`, `apps` and `benchmarks` are those of a source tree.

    Args:
        tree: Folder of the source tree.
        arguments: Arguments of the interpreter.

    Raises:
        CalledProcessError: The program fails; it has said why.
    """
    there = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=there, check=True, stdout=subprocess.PIPE, text=True
    )
    return (done.stdout.splitlines() or [""])[-1]
