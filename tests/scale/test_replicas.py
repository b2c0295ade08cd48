"""Two replicas behind a real Ray Serve on a cluster of two nodes: they share the work, and survive kills."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import httpx
import pytest

from core.platform.server.replicas import running_replicas
from tests.servers import free_port


def make_app():
    """An application that says which process answers, and takes a moment for it."""
    import asyncio

    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/health")
    def health():
        return {"status": "ok"}

    @app.get("/process")
    @app.post("/process")
    async def process(seconds: float = 0.1):
        await asyncio.sleep(seconds)
        return {"process": os.getpid()}

    return app


make_app.__module__ = "__main__"  # pickled whole: the replicas need not have the tests


@pytest.fixture(scope="module")
def address(cluster):
    port = free_port()
    with running_replicas(make_app, "127.0.0.1", port, 2):
        yield f"http://127.0.0.1:{port}"


class Clients:
    """Ask again and again, from several threads, until stopped."""

    def __init__(self, address, *, method="GET", headers=None, count=8):
        self.statuses, self.processes = Counter(), Counter()
        self._stop = threading.Event()
        self._ask = lambda client: client.request(method, f"{address}/process", headers=headers)
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self):
        with httpx.Client(timeout=60) as client:
            while not self._stop.is_set():
                answer = self._ask(client)
                self.statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    self.processes[answer.json()["process"]] += 1


SERVES = """
import sys
from core.platform.server.replicas import serve_replicas
from tests.scale.test_replicas import make_app
serve_replicas(make_app, "127.0.0.1", int(sys.argv[1]), 2)
"""


def test_the_process_that_serves_stops_what_it_started_when_told_to():
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", SERVES, str(port)], stdout=subprocess.PIPE, text=True)
    assert "Steer is ready: 2 replicas" in process.stdout.readline()
    replica = httpx.get(f"http://127.0.0.1:{port}/process").json()["process"]
    process.terminate()
    assert process.wait(timeout=60) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(replica, 0)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/process")


def test_a_stop_finishes_the_requests_that_have_begun(cluster):
    answers, port = [], free_port()

    def ask():
        answers.append(httpx.get(f"http://127.0.0.1:{port}/process?seconds=3", timeout=60).status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    with running_replicas(make_app, "127.0.0.1", port, 2):
        for thread in threads:
            thread.start()
        time.sleep(1)
    for thread in threads:
        thread.join()
    assert answers == [200] * 4


def test_kills_of_a_replica_fail_no_request_that_may_be_repeated(address):
    killed = set()
    with Clients(address) as reading, Clients(address, method="POST", headers={"Idempotency-Key": "k"}) as writing:
        for _ in range(2):
            time.sleep(3)
            victim = max(reading.processes.keys() - killed)
            os.kill(victim, signal.SIGKILL)
            killed.add(victim)
        until = time.monotonic() + 120
        while len(reading.processes.keys() - killed) < 2 and time.monotonic() < until:
            time.sleep(0.5)
    assert set(reading.statuses) == set(writing.statuses) == {200}
    assert len(reading.processes.keys() - killed) >= 2, "the dead replicas are replaced"


def test_a_post_that_may_not_be_repeated_ends_with_a_problem_that_says_so(address):
    answers = []

    def ask():
        answers.append(httpx.post(f"{address}/process?seconds=5", timeout=60))

    process = httpx.get(f"{address}/process").json()["process"]
    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    os.kill(process, signal.SIGKILL)
    for thread in threads:
        thread.join()
    lost = [answer for answer in answers if answer.status_code != 200]
    assert lost
    assert {answer.status_code for answer in lost} == {503}
    assert "whether it is done cannot be said" in lost[0].json()["detail"]
    assert lost[0].headers["Retry-After"] == "1"
