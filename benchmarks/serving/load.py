"""Requests of many clients over real HTTP, from a process of their own."""

import json
import subprocess
import sys
from dataclasses import dataclass

import numpy as np

from core.evaluation.bootstrap import Estimate, bootstrap_mean

CLIENTS = (1, 8, 64)
WARM_SECONDS, SECONDS = 5.0, 25.0


@dataclass(frozen=True)
class Load:
    """What clients saw; latencies in milliseconds, the rate in requests a second with its interval."""

    rate: Estimate
    p50: float
    p95: float
    p99: float

    def __str__(self) -> str:
        return f"{self.rate.value:.0f} requests a second, p50 {self.p50:.0f}, p95 {self.p95:.0f}, p99 {self.p99:.0f} ms"


def under_load(address: str, app: str, clients: int) -> Load:
    """Let so many clients ask, each as soon as it is answered."""
    command = [sys.executable, "-m", "benchmarks.serving.load", address, app, str(clients)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    ended, seconds = np.array(json.loads(done.stdout.splitlines()[-1])).T
    p50, p95, p99 = np.quantile(seconds, [0.5, 0.95, 0.99]) * 1000
    by_second = np.bincount(ended.astype(int), minlength=int(SECONDS))[: int(SECONDS)]
    return Load(bootstrap_mean(by_second.astype(float)), float(p50), float(p95), float(p99))


def main(address: str, app: str, clients: int) -> None:
    """Print (end, duration) of each request that ended in the measured seconds, as JSON."""
    from gevent import monkey

    monkey.patch_all()
    import time
    from itertools import chain

    from gevent.pool import Group
    from geventhttpclient import HTTPClient

    from benchmarks.serving.inputs import REQUESTS

    requests = [REQUESTS[app](1000 * clients + number) for number in range(clients)]
    first = [next(each) for each in requests]  # reads the data, before the clock runs
    begin = time.perf_counter() + WARM_SECONDS
    end = begin + SECONDS
    seen: list[tuple[float, float]] = []

    def post(client: HTTPClient, path: str, body: object) -> dict[str, object]:
        answer = client.post(path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        content = answer.read()
        if answer.status_code >= 400:
            raise RuntimeError(f"{path}: {answer.status_code} {content[:300]!r}")
        return json.loads(content)

    def ask(number: int) -> None:
        client = HTTPClient.from_url(address, connection_timeout=60, network_timeout=60, concurrency=1)
        conversation, said = "", 0
        for path, body in chain([first[number]], requests[number]):
            if "{conversation}" in path and said % 20 == 0:
                conversation = str(post(client, "/v1/support/conversations", {})["id"])
            started = time.perf_counter()
            post(client, path.replace("{conversation}", conversation), body)
            ended, said = time.perf_counter(), said + 1
            if begin <= ended < end:
                seen.append((ended - begin, ended - started))
            if ended >= end:
                return

    group = Group()
    jobs = [group.spawn(ask, number) for number in range(clients)]
    group.join()
    for job in jobs:
        job.get()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
