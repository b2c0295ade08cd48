"""Where Steer keeps what it fetches and what it trains."""

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_dir() -> Path:
    """Folder of fetched weights and data: `STEER_CACHE_DIR`, else the platform's cache folder."""
    return Path(os.environ.get("STEER_CACHE_DIR") or user_cache_path("steer"))


def runs_dir() -> Path:
    """Folder of training runs: `STEER_RUNS_DIR`, else `runs` in the working directory."""
    return Path(os.environ.get("STEER_RUNS_DIR") or "runs")
