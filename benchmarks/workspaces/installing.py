"""How long `make demo` installs, now and at an earlier revision, each into an environment of its own."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from rich.console import Console

from benchmarks.revision import BEFORE, source_of

# The stamp that the Makefile of each revision leaves once everything is there that the demo needs.
_STAMPS = {BEFORE: ".venv/.installed", "HEAD": ".venv/.product"}


def install_ratio(console: Console) -> float:
    """Time that the installation takes, over that at the earlier revision; nothing was downloaded before.

    Raises:
        SteerError: The checkout's history does not reach back to the earlier revision.
        CalledProcessError: An installation fails; it has said why.
    """
    before, now = (_seconds(revision, stamp) for revision, stamp in _STAMPS.items())
    console.print(f"the demo is installed in {now:.1f} s, before in {before:.1f}", highlight=False)
    return now / before


def _seconds(revision: str, stamp: str) -> float:
    with source_of(revision) as tree, tempfile.TemporaryDirectory() as caches:
        # `make` looks for a Python of its own, not for that of the environment that measures.
        kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        apart = {"PIP_CACHE_DIR": str(Path(caches) / "pip"), "UV_CACHE_DIR": str(Path(caches) / "uv")}
        started = time.perf_counter()
        subprocess.run(["make", stamp], cwd=tree, env=kept | apart, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started
