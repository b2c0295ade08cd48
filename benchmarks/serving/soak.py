"""Mixed requests by Locust, with an eye on the server's memory."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks.serving.running import Server
from core.evaluation.bootstrap import Estimate

USERS, MINUTES, EVERY_SECONDS = 16, 15.0, 2.0
# Until all visitors are there, have filled the caches, and their mix has settled.
_WARM_SHARE = 1 / 3


def memory_slope(server: Server, minutes: float = MINUTES) -> Estimate:
    """Megabytes an hour by which the server and its engines grow in memory, with the interval of the regression.

    Args:
        server: Server that runs.
        minutes: Length of the soak.

    Raises:
        RuntimeError: a request failed.
    """
    assert server.process is not None
    watched, over = psutil.Process(server.process.pid), threading.Event()
    samples: list[tuple[float, float]] = []

    def watch() -> None:
        while not over.wait(EVERY_SECONDS):
            family = [watched, *watched.children(recursive=True)]
            samples.append((time.monotonic() / 3600, sum(each.memory_info().rss for each in family) / 1e6))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        command = [sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("visitors.py")), "--headless"]
        command += ["--host", server.address, "-u", str(USERS), "-r", "4", "-t", f"{int(minutes * 60)}s"]
        done = subprocess.run([*command, "--only-summary", "--exit-code-on-error", "3"], check=False)
    finally:
        over.set()
        watcher.join()
    if done.returncode:
        raise RuntimeError("a request of the soak failed")
    return _slope(np.array(samples[int(len(samples) * _WARM_SHARE) :]))


def _slope(samples: np.ndarray) -> Estimate:
    """Least squares; the interval from resampling whole minutes, as neighbouring samples resemble each other."""
    hours, megabytes = samples.T
    block = max(1, round(60 / EVERY_SECONDS))
    blocks = np.array_split(np.arange(len(samples)), max(2, len(samples) // block))
    generator = np.random.default_rng(0)
    drawn = []
    for _ in range(2000):
        rows = np.concatenate([blocks[at] for at in generator.integers(0, len(blocks), len(blocks))])
        if np.ptp(hours[rows]) > 0:
            drawn.append(np.polyfit(hours[rows], megabytes[rows], 1)[0])
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(float(np.polyfit(hours, megabytes, 1)[0]), float(low), float(high))
