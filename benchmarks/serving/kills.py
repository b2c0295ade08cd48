"""SIGKILL of the server, of a worker and of PostgreSQL while clients write: what was acknowledged is there, once."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from rich.console import Console
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.customer_service.tables import Turn
from apps.finance_monitor.tables import News
from apps.recommender.tables import Event
from benchmarks.serving.running import Server
from core.platform.queues.stream import Stream
from core.platform.store.database import open_store
from core.util.errors import SteerError
from testing.servers import Postgres, Redis

WRITERS = 2
# Of all kills: the server, which takes longest to come back, the worker, and PostgreSQL.
SHARES = {"server": 0.2, "worker": 0.3, "postgresql": 0.5}


@dataclass
class Killed:
    """What became of the writes.

    Attributes:
        kills: that were done.
        acknowledged: writes that clients were told are kept.
        lost: of these, how many are not there.
        duplicate: writes that are there twice.
    """

    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    duplicate: int = 0


@dataclass
class _Acknowledged:
    """Keys of writes that somebody said are kept, by table."""

    events: list[str] = field(default_factory=list)
    turns: list[str] = field(default_factory=list)
    news: list[str] = field(default_factory=list)


class Worker:
    """`steer work`, which takes news from a stream into the store."""

    def __init__(self, runs: Path, store: str, queue: str) -> None:
        arguments = ["work", "finance_monitor", "--queue", queue, "--store", store, "--runs", str(runs)]
        self._command, self._log = [sys.executable, "-m", "core", *arguments], runs / "worker.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it is at work some seconds later."""
        log = self._log.open("ab")
        self.process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def kill(self) -> None:
        """At once."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


def kills(runs: Path, times: int, console: Console) -> Killed:
    """Kill at random moments, and count what the store holds in the end."""
    chance, said, over = random.Random(0), _Acknowledged(), threading.Event()
    with ExitStack() as stack:
        postgres, redis = Postgres(), Redis()
        stack.callback(postgres.remove)
        stack.callback(redis.remove)
        store, queue = postgres.database("kills"), f"{redis.url}/news"
        server, worker = Server(runs, store, ["--api-only"]), Worker(runs, store, queue)
        server.start()
        stack.callback(server.kill)
        worker.start()
        stack.callback(worker.kill)
        writers = _writers(server.address, redis.url, said, over)
        victims = _victims(times, chance)
        for number, victim in enumerate(victims, start=1):
            time.sleep(chance.uniform(0.5, 4.0))
            {"server": server, "worker": worker, "postgresql": postgres}[victim].kill()
            time.sleep(chance.uniform(0.0, 1.0))
            {"server": server, "worker": worker, "postgresql": postgres}[victim].start()
            console.print(f"  kill {number} of {times}: {victim}; {_count(said):,} writes acknowledged")
        over.set()
        for writer in writers:
            writer.join()
        return _judged(store, said, len(victims))


def _victims(times: int, chance: random.Random) -> list[str]:
    victims = [name for name, share in SHARES.items() for _ in range(round(share * times))]
    chance.shuffle(victims)
    return victims


def _writers(address: str, redis: str, said: _Acknowledged, over: threading.Event) -> list[threading.Thread]:
    works: list[Callable[[], None]] = []
    for _ in range(WRITERS):
        works += [lambda: _like(address, said, over), lambda: _chat(address, said, over)]
    works += [lambda: _push(address, said, over), lambda: _publish(redis, said, over)]
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    return threads


def _insist(client: httpx.Client, path: str, body: object, key: str, over: threading.Event) -> bool:
    """Send a write with its key until it is acknowledged, as a careful client does; whether it was."""
    while True:
        try:
            answer = client.post(path, json=body, headers={"Idempotency-Key": key})
            if answer.is_success:
                return True
            if answer.status_code < 500:
                raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
        except httpx.TransportError:
            pass
        if over.is_set():
            return False
        time.sleep(0.2)


def _like(address: str, said: _Acknowledged, over: threading.Event) -> None:
    with httpx.Client(base_url=address, timeout=30) as client:
        while not over.is_set():
            key = uuid4().hex
            if _insist(client, "/v1/recommender/profile/events", {"kind": "like", "item": "1"}, key, over):
                said.events.append(key)


def _chat(address: str, said: _Acknowledged, over: threading.Event) -> None:
    with httpx.Client(base_url=address, timeout=30) as client:
        conversation = client.post("/v1/support/conversations").raise_for_status().json()["id"]
        while not over.is_set():
            key = uuid4().hex
            path = f"/v1/support/conversations/{conversation}/messages"
            if _insist(client, path, {"text": f"where is my order {key[:8]}"}, key, over):
                said.turns.append(key)


def _item(key: str) -> dict[str, str]:
    return {"time": datetime.now(UTC).isoformat(), "company": "Corvane", "headline": f"Corvane opens shop {key[:8]}"}


def _push(address: str, said: _Acknowledged, over: threading.Event) -> None:
    with httpx.Client(base_url=address, timeout=30) as client:
        while not over.is_set():
            key = uuid4().hex
            if _insist(client, "/v1/news/items", {"items": [{"key": key, **_item(key)}]}, key, over):
                said.news.append(key)


def _publish(redis: str, said: _Acknowledged, over: threading.Event) -> None:
    stream = Stream(redis, "news")
    while not over.is_set():
        key = uuid4().hex
        stream.publish(key, _item(key))
        said.news.append(key)
        time.sleep(0.1)


def _count(said: _Acknowledged) -> int:
    return len(said.events) + len(said.turns) + len(said.news)


def _judged(url: str, said: _Acknowledged, kills: int) -> Killed:
    """Compare with the store, once the worker has caught up."""
    store = open_store(url)
    try:
        for _ in range(120):
            with store.reading() as session:
                kept = _kept(session)
            if not set(said.news) - set(kept["news"]):
                break
            time.sleep(1)
    except SteerError:
        store.close()
        raise
    store.close()
    lost = sum(len(set(keys) - set(counts)) for keys, counts in _pairs(said, kept))
    duplicate = sum(sum(count > 1 for count in counts.values()) for _, counts in _pairs(said, kept))
    return Killed(kills, _count(said), lost, duplicate)


def _kept(session: Session) -> dict[str, dict[str, int]]:
    """How often each client's key is there, by table; of turns, those of users count."""
    tables: dict[str, Any] = {
        "events": select(Event.key, func.count()),
        "turns": select(Turn.key, func.count()).where(Turn.role == "user", Turn.key.is_not(None)),
        "news": select(News.key, func.count()),
    }
    return {
        name: dict(session.execute(counted.group_by(counted.selected_columns[0])).all())
        for name, counted in tables.items()
    }


def _pairs(said: _Acknowledged, kept: dict[str, dict[str, int]]) -> list[tuple[list[str], dict[str, int]]]:
    return [(said.events, kept["events"]), (said.turns, kept["turns"]), (said.news, kept["news"])]
