"""What the models do without a server: the work of the batches in a plain loop, in a process of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.serving.inputs import headlines, histories, questions
from core.platform.apps.spec import installed_apps
from core.platform.inference.engine_process import threads_beside_clients, use_threads
from core.rl.explore import Explorer
from core.training.loader import open_task
from core.training.run import Run

BATCH, SECONDS = 32, 15.0
# What most requests of each app ask its engine for.
_METHODS = {"customer_service": "replies", "finance_monitor": "labels", "recommender": "lists"}


def bare_rates(runs: Path) -> dict[str, float]:
    """Requests a second of each app's batched work, with no HTTP, no store and no waiting."""
    command = [sys.executable, "-m", "benchmarks.serving.bare", str(runs)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _items(app: str) -> Iterator[Any]:
    """What the app's batcher takes."""
    if app == "customer_service":
        from apps.customer_service.engine import Asked

        return (Asked((text,), True, Explorer()) for text in questions(900))
    if app == "finance_monitor":
        return ([f"{company}: {headline}"] for company, headline in headlines(900))
    from apps.recommender.engine import Wanted

    liked = (np.array(films, dtype=np.int64) for films in histories(900))
    return (Wanted(films, films, "") for films in liked)


def _rate(work: Callable[[list[Any]], Any], items: Iterator[Any]) -> float:
    work(list(islice(items, BATCH)))  # the first batch pays for what is loaded late
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        done += len(work(list(islice(items, BATCH))))
    return done / (time.perf_counter() - started)


def main(runs: Path) -> None:
    """Print the rates as JSON, each with the number of threads that suits the model best."""
    rates, choices = {}, {threads_beside_clients(), torch.get_num_threads()}
    for spec in installed_apps():
        run = Run(runs / spec.name)
        work = getattr(spec.engine(open_task(spec.task, run), run), _METHODS[spec.name])
        items, by_threads = _items(spec.name), []  # never the same item again: a cache would answer
        for threads in choices:
            use_threads(threads)
            by_threads.append(_rate(work, items))
        rates[spec.name] = max(by_threads)
    print(json.dumps(rates))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
