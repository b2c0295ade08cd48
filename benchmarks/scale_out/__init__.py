"""What more processes bring: texts a second of Ray workers, messages a second of a Redis stream."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from core.evaluation.bootstrap import Estimate
from core.evaluation.figures import figure
from core.models.weights import DEFAULT_ENCODER
from core.platform.queues.consumer import Consumer
from core.platform.queues.stream import Stream
from core.platform.scale.bulk import embed_in_bulk
from core.platform.scale.cluster import ray_cluster
from testing.servers import Redis

WORKERS = (1, 2, 4)
FEW, MANY = 1024, 5120
LENGTHS = (8, 24)  # words of a title with its description
WORDS = ("green", "blue", "small", "large", "wood", "steel", "glass", "lamp", "chair", "table", "for", "room", "with")
MESSAGES, BATCH, REPEATS = 2000, 100, 3


def run(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """All figures; no data are needed."""
    del data_dir
    results = {}
    with ray_cluster():
        for workers in WORKERS:
            rate, start = _embedding(workers)
            results[f"texts_a_second.workers_{workers}"] = figure(Estimate(rate, rate, rate))
            results[f"start_seconds.workers_{workers}"] = figure(Estimate(start, start, start), better="lower")
            console.print(f"{workers} workers: {rate:.0f} texts a second after {start:.1f} s")
    with _stream() as stream:
        for name, rates in _messages(stream).items():
            results[f"messages_a_second.{name}"] = figure(Estimate(sorted(rates)[REPEATS // 2], min(rates), max(rates)))
            console.print(f"{name}: {sorted(rates)[REPEATS // 2]:.0f} messages a second")
    return results


def _embedding(workers: int) -> tuple[float, float]:
    """Texts a second once the workers have loaded, and seconds until then: from a small and a large catalogue."""
    seconds = {}
    for count in (FEW, MANY):
        texts, started = _catalogue(count), time.perf_counter()
        embed_in_bulk(texts, DEFAULT_ENCODER, workers)
        seconds[count] = time.perf_counter() - started
    rate = (MANY - FEW) / (seconds[MANY] - seconds[FEW])
    return rate, seconds[FEW] - FEW / rate


def _catalogue(count: int) -> list[str]:
    generator = np.random.default_rng(0)
    return [" ".join(generator.choice(WORDS, generator.integers(*LENGTHS))) for _ in range(count)]


def _messages(stream: Stream) -> dict[str, list[float]]:
    consumer = Consumer(stream, "group", "one")
    rates: dict[str, list[float]] = {"published": [], "consumed": []}
    for repeat in range(REPEATS):
        started = time.perf_counter()
        for number in range(MESSAGES):
            stream.publish(f"{repeat}-{number}", {"company": "corvane", "headline": "Corvane opens a plant " * 3})
        published, taken = time.perf_counter(), 0
        while taken < MESSAGES:
            entries = consumer.take(BATCH, timedelta(seconds=1))
            consumer.done(entries)
            taken += len(entries)
        rates["published"].append(MESSAGES / (published - started))
        rates["consumed"].append(MESSAGES / (time.perf_counter() - published))
    return rates


@contextmanager
def _stream() -> Iterator[Stream]:
    """On a server that has every write on disk before it answers."""
    server = Redis()
    stream = Stream(server.url, "bench")
    try:
        yield stream
    finally:
        stream.close()
        server.remove()
