"""One wait for the disk that many commits share (DeWitt et al. 1984, "group commit")."""

import os
import threading
from pathlib import Path

_sync = getattr(os, "fdatasync", os.fsync)


class GroupCommit:
    """Puts on disk what was written to a file before the call.

    The disk takes as long for a hundred commits as for one. So whoever comes while it is busy waits, and the first of
    those who waited then syncs for all of them.

    Args:
        file: File to sync; where there is none, all of it has gone to another file that is on disk.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._changed = threading.Condition()
        self._is_busy = False
        self._asked = self._synced = 0

    def __call__(self) -> None:
        """Return when all that this thread wrote is on disk.

        Raises:
            OSError: The disk failed.
        """
        with self._changed:
            self._asked += 1
            mine = self._asked
            self._changed.wait_for(lambda: self._synced >= mine or not self._is_busy)
            if self._synced >= mine:
                return
            self._is_busy, covered = True, self._asked
        try:
            self._sync()
        except OSError:
            covered = 0  # the next of those who wait tries for itself
            raise
        finally:
            with self._changed:
                self._is_busy, self._synced = False, max(self._synced, covered)
                self._changed.notify_all()

    def _sync(self) -> None:
        try:
            descriptor = os.open(self._file, os.O_RDWR)
        except FileNotFoundError:
            return
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)
