"""Memory of a process that serves for weeks.

Between the long-lived little things that caches keep, the large tensors of each batch leave holes in the heap, which
glibc neither fills nor returns by itself: a busy server would grow by gigabytes in a few hours.
"""

import ctypes
import ctypes.util
import gc
import os
import threading
import time
from collections.abc import Callable
from functools import cache

_EVERY_SECONDS = 20.0
# oneDNN keeps the code that it compiled for each shape of batch, and PyTorch's bridge to it (ideep) keeps it once more;
# each shape that nobody has asked for yet adds to both. Their defaults of 1024 shapes take some 300 and 200 MB, which
# come over hours, and compiling anew costs no measurable time. They read this before the process's first product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
os.environ.setdefault("LRU_CACHE_CAPACITY", "64")


@cache
def start_malloc_trim() -> None:
    """Return free memory to the system every `_EVERY_SECONDS` from now on; does nothing without glibc."""
    name = ctypes.util.find_library("c")
    trim = getattr(ctypes.CDLL(name), "malloc_trim", None) if name else None
    if trim is not None:
        threading.Thread(target=_trim_forever, args=(trim,), name="memory", daemon=True).start()


def freeze_gc() -> None:
    """Let the garbage collector pass over all that has been made so far.

    It would look through a million objects of the libraries, now and then, for something to free: half a second in
    which nobody is answered.
    """
    gc.collect()
    gc.freeze()


def _trim_forever(trim: Callable[[int], int]) -> None:
    while True:
        time.sleep(_EVERY_SECONDS)
        trim(0)
