"""Bounds on what native libraries keep for themselves.

Between the long-lived little things that caches keep, the large tensors of each batch leave holes in the heap, which
glibc neither fills nor returns by itself: a busy server would grow by gigabytes in a few hours.
"""

import ctypes
import ctypes.util
import os
import threading
import time
from collections.abc import Callable
from functools import cache

_EVERY_SECONDS = 20.0
# oneDNN keeps the code that it compiled for each shape of batch. Its default of 1024 shapes takes some 300 MB more,
# and compiling anew costs no measurable time. It reads this before the process's first product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")


@cache
def keep_small() -> None:
    """Return free memory to the system again and again, from now on; does nothing without glibc."""
    name = ctypes.util.find_library("c")
    trim = getattr(ctypes.CDLL(name), "malloc_trim", None) if name else None
    if trim is not None:
        threading.Thread(target=_trim_again_and_again, args=(trim,), name="memory", daemon=True).start()


def _trim_again_and_again(trim: Callable[[int], int]) -> None:
    while True:
        time.sleep(_EVERY_SECONDS)
        trim(0)
