"""Where Steer keeps what it fetches and what it trains."""

import os
from pathlib import Path

from platformdirs import user_cache_path

from core.util.errors import SteerError


def cache_dir() -> Path:
    """Folder of fetched weights and data: `STEER_CACHE_DIR`, else the platform's cache folder."""
    return Path(os.environ.get("STEER_CACHE_DIR") or user_cache_path("steer"))


def cache_folder(name: str) -> Path:
    """A folder in the cache, made where it is missing.

    Raises:
        SteerError: It cannot be made.
    """
    folder = cache_dir() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SteerError(
            f"cannot keep anything in {folder}: {error.strerror}; move away what stands there, or name another folder: "
            "STEER_CACHE_DIR=FOLDER"
        ) from error
    return folder


def runs_dir() -> Path:
    """Folder of training runs: `STEER_RUNS_DIR`, else `runs` in the working directory."""
    return Path(os.environ.get("STEER_RUNS_DIR") or "runs")
