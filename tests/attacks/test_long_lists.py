"""Whoever has said and done very much costs the others no more than anybody else."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from statistics import median
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import insert

from apps.customer_service import tables as support
from apps.customer_service.tables import Turn
from apps.recommender.tables import Event
from core.platform.store.database import open_store, sqlite_url
from core.platform.store.schema import now
from tests.attacks.conftest import added

pytestmark = pytest.mark.slow

EVENTS, TURNS = 63_000, 20_000
TIMES, MOST = 15, 4.0
LIST = "/v1/recommender/lists"


class Person:
    """A viewer with a profile and a conversation that were put straight into the store."""

    def __init__(self, guarded, events: int, turns: int) -> None:
        self.name = f"viewer-{uuid4().hex[:12]}"
        key = added(guarded.runs, {self.name: "viewer"})[self.name]
        self.address, self.headers = guarded.address, {"Authorization": f"Bearer {key}"}
        with closing(open_store(sqlite_url(guarded.runs / "steer.db"))) as store, store.transaction() as session:
            mine = {"app": "recommender", "owner": self.name, "kind": "like"}
            rows = [{**mine, "key": f"{at}", "item": str(at % 9_000)} for at in range(events)]
            session.execute(insert(Event), rows)
            self.talk = support.start(session, "customer_service", self.name).id
            said = {"conversation_id": self.talk, "text": "where is my order?", "about": {}, "time": now()}
            roles = ("user", "assistant")
            session.execute(insert(Turn), [{**said, "number": at, "role": roles[at % 2]} for at in range(turns)])

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.address, headers=self.headers, timeout=120)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Ask for all that is long, again and again, on four connections."""
        is_over, talk = threading.Event(), f"/v1/support/conversations/{self.talk}"

        def insist(number: int) -> None:
            with self.client() as client:
                while not is_over.is_set():
                    client.get(("/v1/recommender/profile", talk)[number % 2]).raise_for_status()
                    client.post(LIST, json={"words": "space", "profile": True}).raise_for_status()

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(insist, number) for number in range(4)]
            yield
            is_over.set()
            for each in asking:
                each.result()

    def seconds(self) -> float:
        """How long a list of one's own takes."""
        with self.client() as client:
            begun = time.perf_counter()
            client.post(LIST, json={"words": "space"}).raise_for_status()
            return time.perf_counter() - begun


def test_whoever_has_much_holds_up_nobody_else(guarded):
    """By turns with the same requests of a person who has little, since the machine may be busy with something else."""
    has_much, has_little, other = (Person(guarded, *size) for size in ((EVENTS, TURNS), (60, 20), (1, 2)))
    beside: dict[str, list[float]] = {"much": [], "little": []}
    for _ in range(3):
        for name, person in (("much", has_much), ("little", has_little)):
            with person.reading():
                beside[name] += [other.seconds() for _ in range(TIMES)]
    assert median(beside["much"]) < MOST * median(beside["little"]), beside
