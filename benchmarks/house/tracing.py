"""Files of a source tree in which code runs while something is done, in whichever thread."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.house.imports import PACKAGES


class Tracer:
    """Sees every call of a function in this thread and in all that start later; make it before any other thread starts.

    A file counts once a function, method, lambda or comprehension of it has been entered. What only lends its names,
    such as a dataclass without methods, is never entered and does not count.

    Args:
        tree: Folder that holds `core` and `apps`.
    """

    def __init__(self, tree: Path) -> None:
        self._roots = tuple(f"{tree.resolve() / package}/" for package in PACKAGES)
        self._start = len(str(tree.resolve())) + 1
        self._recording, self._entered = False, set[str]()
        threading.setprofile(self._note)
        sys.setprofile(self._note)

    @contextmanager
    def recording(self) -> Iterator[set[str]]:
        """The files entered inside the block, relative to the tree; complete at the block's end."""
        files = set[str]()
        self._entered, self._recording = set(), True
        try:
            yield files
        finally:
            self._recording = False
            files.update(file[self._start :] for file in self._entered if file.startswith(self._roots))

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        del argument
        if self._recording and event == "call":
            self._entered.add(frame.f_code.co_filename)
