"""Random histories of news, played undisturbed, through crashes, and on two servers: do they end with the same alerts?

Each history mixes trickle, surges, copies, deliveries that come twice, late items, items of the future, corrections and
quiet days, and purges of what is a few hours or days old, often amid a surge. It is played over a store of its own: by
one server; by one that crashes at random moments, before or behind any of its transactions, and begins again over the
same store, where the client sends again what was not acknowledged; and by two servers that take turns and both keep
looking. The first few are also played by processes that are killed.

Labels are no subject here, so no policy is trained: a headline names its story, from which a fixed rule makes label and
vector. Store, service, folding, detector, clock and history are the real ones.
"""

import hashlib
import multiprocessing
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import numpy as np
from structlog.testing import capture_logs

from apps.finance_monitor import tables
from apps.finance_monitor.data import NewsData, example_data
from apps.finance_monitor.engine import Label
from apps.finance_monitor.feed import Item
from apps.finance_monitor.model import NewsModel, Read
from apps.finance_monitor.replay import PinnedModel
from apps.finance_monitor.service import MonitorService
from apps.finance_monitor.task import FinanceMonitor
from core.platform.auth.access import Principal
from core.platform.store.database import Store, open_store, sqlite_url
from core.platform.store.erasure import purge
from core.rl.explore import Explorer
from core.util.errors import NotFoundError

_BEGIN = datetime(2025, 3, 3, 9, tzinfo=UTC)
_COMPANIES = ("Acme", "Borealis", "Cinder")
_KILLED = 5
_ANALYST = Principal("ann", "agent")


class Crash(BaseException):
    """The process is gone."""


class FixedLabels:
    """Stands for a version's model: label and vector follow from the story that a headline names."""

    news: NewsData = example_data()
    task = FinanceMonitor

    def labels(self, news: Sequence[Read]) -> list[Label]:
        """Bad stories are negative, more or less surely."""
        return [_label(headline) for _, headline in news]

    def vectors(self, headlines: Sequence[str]) -> list[np.ndarray]:
        """Headlines of one story are alike."""
        return [_vector(headline) for headline in headlines]


def _label(headline: str) -> Label:
    _, kind, story, _ = headline.split()
    sure = random.Random(story).uniform(0.55, 1.0)
    negative = sure if kind == "bad" else (1 - sure) / 2
    sentiment = "negative" if kind == "bad" else "positive"
    return Label("legal", sentiment, {"negative": negative, "neutral": 0.0, "positive": 1 - negative}, 1.0)


def _vector(headline: str) -> np.ndarray:
    of_story, of_wording = (
        np.random.default_rng(int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)).normal(size=64)
        for text in (headline.split()[2], headline)
    )
    vector = of_story + 0.2 * of_wording
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@dataclass(frozen=True)
class Step:
    """Something that reaches the monitor: items at a moment, or a correction, or a purge, or nothing but the time.

    Attributes:
        hours: Hours since the beginning.
        items: Items of a delivery.
        corrected: Number of the item that is corrected; 0 for none.
        purged: Hours from which on what is older is purged; 0 for no purge.
    """

    hours: float
    items: tuple[Item, ...] = ()
    corrected: int = 0
    purged: float = 0.0

    @property
    def moment(self) -> datetime:
        """When it happens."""
        return _BEGIN + timedelta(hours=self.hours)


def history(seed: int) -> list[Step]:
    """A random history: a week or two of news about three companies."""
    chance = random.Random(seed)
    steps: list[Step] = []
    sent: list[Item] = []
    hours = 0.0
    while len(steps) < 24:
        hours += chance.choice((0.2, 1.0, 5.0, 12.0, 45.0))
        delivery = _delivery(chance, hours, len(sent))
        sent += delivery
        again = chance.sample(sent, min(len(sent), chance.choice((0, 0, 2))))
        chance.shuffle(delivery)
        steps.append(Step(hours, (*delivery, *again)))
        if chance.random() < 0.1 and sent:
            steps.append(Step(hours, corrected=chance.randint(1, len({item.key for item in sent}))))
        if chance.random() < 0.15:
            steps.append(Step(hours, purged=chance.choice((1.0, 24.0, 60.0))))
        if chance.random() < 0.2:
            steps.append(Step(hours := hours + chance.choice((1.0, 40.0))))
    return [*steps, Step(hours + chance.choice((1, 100)))]


def _delivery(chance: random.Random, hours: float, count: int) -> list[Item]:
    company, kind = chance.choice(_COMPANIES), chance.choice(("surge", "surge", "trickle", "late", "future", "copies"))
    size = chance.randint(3, 7) if kind in ("surge", "copies") else chance.randint(1, 3)
    items = []
    for number in range(count, count + size):
        behind = chance.uniform(0, 4)
        if kind == "late":
            behind = chance.choice((8, 20, 30, 100, 300)) * chance.uniform(0.8, 1.2)
        if kind == "future":
            behind = -chance.choice((0.5, 10, 1_000_000))
        mood = "bad" if kind in ("surge", "late", "future") or chance.random() < 0.4 else "good"
        story = chance.randrange(max(count, 1)) if kind == "copies" else number
        time = _BEGIN + timedelta(hours=hours - behind)
        items.append(Item(key=f"{number}", time=time, company=company, headline=f"{company} {mood} {story} {number}"))
    return items


@dataclass
class Server:
    """A monitor over a store, at a moment that the player sets.

    Args:
        file: File of the store.
        now: Function that returns the moment.
    """

    file: Path
    now: Callable[[], datetime]

    def __post_init__(self) -> None:
        self.store = open_store(sqlite_url(self.file))
        live = PinnedModel((cast(NewsModel, FixedLabels()), "v0001"))
        self.service = MonitorService(self.store, live, Explorer(), present=self.now)

    def take(self, step: Step) -> None:
        """What a client, an analyst or the clock asks for."""
        if step.items:
            self.service.push(step.items)
        if step.purged:
            purge(self.store, step.moment - timedelta(hours=step.purged))
        if step.corrected:
            with suppress(NotFoundError):  # purged meanwhile
                self.service.correct(_ANALYST, step.corrected, "deals", "neutral")
        self.service.tick()


def outcome(store: Store, app: str) -> list[dict[str, Any]]:
    """All that a store holds of alerts, and how often each was told."""
    with store.reading() as session:
        return [
            {
                **{name: str(getattr(alert, name)) for name in ("id", "company", "opened", "state", "severity")},
                "reason": alert.reason,
                "told": sum(step.state == "open" and not step.note for step in tables.history(session, alert)),
            }
            for alert in sorted(tables.alerts(session, app, 10_000), key=lambda alert: alert.id)
        ]


def undisturbed(steps: Sequence[Step], file: Path) -> list[dict[str, Any]]:
    """What one server makes of a history."""
    moment = [steps[0].moment]
    server = Server(file, lambda: moment[0])
    for step in steps:
        moment[0] = step.moment
        server.take(step)
    return _closed(server)


def crashing(steps: Sequence[Step], file: Path, chance: random.Random) -> list[dict[str, Any]]:
    """What is left where a server crashes again and again; what was not acknowledged is sent again."""
    moment = [steps[0].moment]
    server = Server(file, lambda: moment[0])
    for step in steps:
        moment[0] = step.moment
        while True:
            try:
                with _crash(server.store, chance):
                    server.take(step)
                break
            except Crash:
                server.store.close()
                server = Server(file, lambda: moment[0])
    return _closed(server)


@contextmanager
def _crash(store: Store, chance: random.Random) -> Iterator[None]:
    """Let one in three steps crash, before or behind one of its transactions."""
    left = chance.choice((1, 2, 3, 4, *[1_000] * 8))
    transaction = store.transaction

    @contextmanager
    def crashing_transaction() -> Iterator[Any]:
        nonlocal left
        left -= 1
        if left == 1:
            raise Crash
        with transaction() as session:
            yield session
        if left == 0:
            raise Crash

    store.transaction = crashing_transaction  # type: ignore[method-assign]
    try:
        yield
    finally:
        store.transaction = transaction  # type: ignore[method-assign]


def replicated(steps: Sequence[Step], file: Path, chance: random.Random) -> list[dict[str, Any]]:
    """What two servers over one store make of it: either takes a delivery, both look at the same time."""
    moment = [steps[0].moment]
    servers = [Server(file, lambda: moment[0]) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for step in steps:
            moment[0] = step.moment
            first = chance.randrange(2)
            waits = [pool.submit(servers[first].take, step), pool.submit(servers[1 - first].service.tick)]
            for wait in waits:
                wait.result()
    servers[0].store.close()
    return _closed(servers[1])


def killed(seed: int, steps: Sequence[Step], file: Path, chance: random.Random) -> list[dict[str, Any]]:
    """What is left where the process is killed; the next one goes on behind what was acknowledged."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload([__name__])
    done = 0
    while done < len(steps):
        receive, send = forks.Pipe(duplex=False)
        process = forks.Process(target=_play, args=(seed, file, done, send))
        process.start()
        send.close()
        until = done + chance.randint(1, len(steps) // 2)
        with suppress(EOFError):  # it is gone
            while done < until:
                done = receive.recv()
        time.sleep(chance.uniform(0, 0.02))
        process.kill()  # in the midst of the next step
        process.join()
    store = open_store(sqlite_url(file))
    try:
        return outcome(store, FinanceMonitor.name)
    finally:
        store.close()


def _closed(server: Server) -> list[dict[str, Any]]:
    try:
        return outcome(server.store, server.service.app)
    finally:
        server.store.close()


def identical_histories(count: int = 200, seed: int = 0) -> int:
    """How many histories end with the same alerts however they are played, each of them told exactly once."""
    with (
        capture_logs(),
        tempfile.TemporaryDirectory() as folder,
    ):  # that an item is dated in the future is said each time
        empty = Path(folder) / "empty.db"
        open_store(sqlite_url(empty)).close()
        return sum(_is_identical(seed + number, empty, is_killed=number < _KILLED) for number in range(count))


def _is_identical(seed: int, empty: Path, *, is_killed: bool) -> bool:
    steps, chance = history(seed), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        stores = [Path(folder) / f"{number}.db" for number in range(4)]
        for file in stores:
            shutil.copy(empty, file)
        expected = undisturbed(steps, stores[0])
        found = [crashing(steps, stores[1], chance), replicated(steps, stores[2], chance)]
        if is_killed:
            found.append(killed(seed, steps, stores[3], chance))
    return all(alerts == expected for alerts in found) and all(alert["told"] == 1 for alert in expected)


def _play(seed: int, file: Path, done: int, acknowledge: Connection) -> None:
    """Play a history from a step on, and acknowledge each."""
    steps = history(seed)
    moment = [steps[max(done - 1, 0)].moment]
    with capture_logs():
        server = Server(file, lambda: moment[0])
        for number, step in enumerate(steps[done:], start=done + 1):
            moment[0] = step.moment
            server.take(step)
            acknowledge.send(number)
    server.store.close()
