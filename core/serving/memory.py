"""Bounds on what native libraries keep for themselves.

Between the long-lived little things that caches keep, the large tensors of each batch leave holes in the heap, which
glibc neither fills nor returns by itself: a busy server would grow by gigabytes in a few hours.
"""

import asyncio
import ctypes
import ctypes.util
import os

from starlette.concurrency import run_in_threadpool

_EVERY_SECONDS = 20.0
# oneDNN keeps the code that it compiled for each shape of batch. Its default of 1024 shapes takes some 300 MB more,
# and compiling anew costs no measurable time. It reads this before the process's first product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")


async def keep_small() -> None:
    """Return free memory to the system again and again, until cancelled; does nothing without glibc."""
    name = ctypes.util.find_library("c")
    trim = getattr(ctypes.CDLL(name), "malloc_trim", None) if name else None
    while trim is not None:
        await asyncio.sleep(_EVERY_SECONDS)
        await run_in_threadpool(trim, 0)
