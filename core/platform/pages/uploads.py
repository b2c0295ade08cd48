"""Where pages put uploaded files: in a folder of our own, which nobody else reads, and not for long."""

import math
import os
import time
from contextlib import suppress
from pathlib import Path
from threading import Event

UPLOADS = "uploads"
"""Name of the folder, beside the runs."""

_KEPT_SECONDS = 3600
_PAUSE_SECONDS = 300


def use_folder(folder: Path) -> None:
    """Have Gradio put uploads into a folder; call this before Gradio is imported, which may look only then."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["GRADIO_TEMP_DIR"] = str(folder.resolve())


def keep_clean(folder: Path, stop: Event) -> None:
    """Remove files that have been there for an hour, until told to stop; the pages read an upload at once.

    What a broken connection left behind goes too, and what servers before this one left: the age alone counts, since
    another server may use the same folder.
    """
    while True:
        remove_old(folder, time.time() - _KEPT_SECONDS)
        if stop.wait(_PAUSE_SECONDS):
            return


def remove_all(runs: Path) -> None:
    """Remove every upload, for somebody who is erased: no file says whose it is.

    Pages read an upload at once and need it no more; only what is on its way at this very moment has to be sent again.
    """
    remove_old(runs / UPLOADS, math.inf)


def remove_old(folder: Path, before: float) -> None:
    """Remove files that were last changed before a moment, in seconds since 1970, and empty folders likewise."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what a folder holds comes before the folder
        with suppress(OSError):  # another server's doing, or a folder that holds something
            if path.lstat().st_mtime >= before:
                continue
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()
