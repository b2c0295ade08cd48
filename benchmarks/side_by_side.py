"""Independent pieces of work, one process a core: small models waste a second thread."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")


def side_by_side(work: Callable[..., Result], jobs: Sequence[tuple[Any, ...]]) -> Iterator[Result]:
    """What `work(*job)` returns for each job, in their order and as soon as it is there."""
    context = multiprocessing.get_context("spawn")  # a fork would inherit PyTorch's threads in some state or other
    with context.Pool(os.cpu_count(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield from pool.imap(partial(_call, work), jobs)


def _call(work: Callable[..., Result], job: tuple[Any, ...]) -> Result:
    return work(*job)
