"""Bulk work on texts, by workers on all machines of a Ray cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from core.platform.scale.cluster import ray_cluster
from core.util.errors import SteerError

if TYPE_CHECKING:
    from core.training.run import Run
    from core.training.task import Task

Compute = Callable[[Sequence[str]], np.ndarray]
"""Maps texts to an array whose first axis counts them."""

_TEXTS_PER_CHUNK = 256


def embed_in_bulk(texts: Sequence[str], encoder: str, workers: int, *, max_length: int = 96) -> np.ndarray:
    """Unit-length vectors of texts, as `TextEncoder.embed` makes them of documents, float32 of shape (texts, width).

    Args:
        texts: Texts to embed, at least one.
        encoder: Name of the weights, as `core.models.weights.resolve` takes it.
        workers: Number of processes, each with an encoder of its own.
        max_length: Window of the encoder in tokens.

    Raises:
        SteerError: No such weights, or every worker died.
    """
    from core.models.weights import resolve

    resolve(encoder)  # fetched once, and not by every worker

    def make() -> Compute:
        from core.models.encoder import TextEncoder

        return partial(TextEncoder(encoder, max_length=max_length).embed, role="document")

    return in_bulk(make, texts, workers)


def decide_in_bulk(texts: Sequence[str], task: type[Task], run: Run, workers: int) -> np.ndarray:
    """The action that a trained policy takes for each text, int64 of shape (texts, picks).

    Args:
        texts: States of a task that decides about texts, at least one.
        task: Task that the policy was trained for.
        run: Run with the policy; all machines must see its folder.
        workers: Number of processes, each with a policy of its own.

    Raises:
        SteerError: The task has not been trained, or every worker died.
    """

    def make() -> Compute:
        from core.training.loader import open_task
        from core.training.run import trained_policy

        policy = trained_policy(open_task(task, run), run)
        return lambda chunk: policy.predict({"text": tuple(chunk)})

    return in_bulk(make, texts, workers)


def in_bulk(make: Callable[[], Compute], texts: Sequence[str], workers: int) -> np.ndarray:
    """What a function says of texts, in their order, computed by several processes.

    Texts of like length go together in chunks, the longest first so that no worker is left with a long one at the end.
    The chunk of a worker that dies is done again by another.

    Args:
        make: Factory of the function, called once in each worker, where it may load a model.
        texts: Texts to compute on, at least one.
        workers: Number of processes; together they use all processors of the cluster.

    Raises:
        SteerError: Every worker died.
    """
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]), reverse=True)
    chunks = [order[start : start + _TEXTS_PER_CHUNK] for start in range(0, len(order), _TEXTS_PER_CHUNK)]
    with ray_cluster() as ray:
        processors = ray.cluster_resources()["CPU"] / workers
        options = {"num_cpus": min(1.0, processors), "scheduling_strategy": "SPREAD"}
        worker_class = ray.remote(**options)(_Worker)
        team = [worker_class.remote(make, max(1, int(processors))) for _ in range(min(workers, len(chunks)))]
        parts = dict(_distribute(ray, team, [[texts[row] for row in chunk] for chunk in chunks]))
        for worker in team:
            ray.kill(worker)
    answers = np.concatenate([parts[number] for number in range(len(chunks))])
    return answers[np.argsort(order)]


class _Worker:
    """Computes one chunk after the other, in a process of its own.

    Args:
        make: Factory of what computes.
        threads: Number of threads that it may use.
    """

    def __init__(self, make: Callable[[], Compute], threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._compute = make()

    def run(self, texts: list[str]) -> np.ndarray:
        return self._compute(texts)


def _distribute(ray: Any, team: list[Any], chunks: list[list[str]]) -> Iterator[tuple[int, np.ndarray]]:
    """What the team says of each chunk, as it comes: its number, and the answers."""
    waiting, idle = deque(enumerate(chunks)), list(team)
    running: dict[Any, tuple[Any, int]] = {}
    while waiting or running:
        while waiting and idle:
            number, chunk = waiting.popleft()
            worker = idle.pop()
            running[worker.run.remote(chunk)] = (worker, number)
        [ready], _ = ray.wait(list(running), num_returns=1)
        worker, number = running.pop(ready)
        try:
            yield number, ray.get(ready)
            idle.append(worker)
        except ray.exceptions.RayActorError as error:
            waiting.appendleft((number, chunks[number]))
            if not idle and not running:
                raise SteerError(f"all {len(team)} workers died, the last one with: {error}") from error
