"""Old news go, and nothing that comes behind them is decided in another way.

A headline says itself whether it is bad news, and none is like another: labels are no subject here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import numpy as np
import pytest

from apps.finance_monitor.data import NewsData, example_data
from apps.finance_monitor.engine import Label
from apps.finance_monitor.feed import Item
from apps.finance_monitor.model import NewsModel
from apps.finance_monitor.replay import PinnedModel
from apps.finance_monitor.service import MonitorService
from apps.finance_monitor.task import FinanceMonitor
from core.platform.store.database import Store, open_store
from core.platform.store.erasure import purge
from core.rl.explore import Explorer

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = BEGIN + 100 * DAY


@dataclass
class PlainModel:
    """Stands for a version's model."""

    news: NewsData
    task = FinanceMonitor

    def labels(self, news):
        return [_label("bad" in headline) for _, headline in news]

    def vectors(self, headlines):
        found = [np.random.default_rng(list(headline.encode())).normal(size=64) for headline in headlines]
        return [(vector / np.linalg.norm(vector)).astype(np.float32) for vector in found]


def _label(is_bad: bool) -> Label:
    negative = 0.95 if is_bad else 0.05
    sentiment = "negative" if is_bad else "positive"
    return Label("legal", sentiment, {"negative": negative, "neutral": 0.0, "positive": 1 - negative}, 1.0)


@pytest.fixture(scope="module")
def model():
    return PinnedModel((cast(NewsModel, PlainModel(example_data())), "v0001"))


@pytest.fixture
def present() -> list[datetime]:
    """The moment that it is, for every server."""
    return [NOW]


@pytest.fixture
def start(model, present):
    return lambda store: MonitorService(store, model, Explorer(), present=lambda: present[0])


@pytest.fixture
def live_through(present):
    """Push news, each at its own moment."""

    def push(service: MonitorService, items: list[Item]) -> None:
        for item in items:
            present[0] = item.time
            service.push([item])
        present[0] = NOW

    return push


@pytest.fixture
def stores(tmp_path):
    """Two empty stores."""
    opened = [open_store(f"sqlite:///{tmp_path / name}.db") for name in ("purged", "whole")]
    yield opened
    for store in opened:
        store.close()


def bad(time: datetime, number: int) -> Item:
    return Item(key=f"{number}", time=time, company="Acme", headline=f"bad word{number} other{number} third{number}")


def trickle() -> list[Item]:
    """A bad story every other day: so many are usual for this company."""
    return [bad(BEGIN + 2 * DAY * number, number) for number in range(49)]


def surge(time: datetime, count: int = 8, first: int = 1_000) -> list[Item]:
    return [bad(time + HOUR / 2 * number, first + number) for number in range(count)]


def told(service: MonitorService) -> list[dict]:
    service.tick()
    return [alert.model_dump(exclude={"id"}) for alert in service.alerts(100)]


def purged(store: Store, days: int = 20) -> None:
    assert purge(store, NOW - days * DAY) > 0


def test_what_is_usual_outlives_the_news_that_it_was_learnt_from(stores, start, live_through):
    for store in stores:
        live_through(start(store), trickle())
    purged(stores[0], 1)
    services = [start(store) for store in stores]
    for service in services:
        for item in surge(NOW - 12 * HOUR):
            service.push([item])
    assert told(services[0]) == told(services[1])
    assert len(told(services[0])) == 1


def test_a_late_story_changes_an_open_alert_behind_a_purge_and_a_restart(stores, start, live_through):
    for store in stores:
        live_through(start(store), [*trickle(), *surge(NOW - 12 * HOUR)])
    purged(stores[0])
    services = [start(store) for store in stores]
    (before,) = told(services[0])
    for service in services:
        service.push([bad(NOW - 10 * HOUR, 2_000)])
    (after,) = told(services[0])
    assert len(after["reason"]["causes"]) == len(before["reason"]["causes"]) + 1
    assert [after] == told(services[1])


def test_what_is_delivered_again_brings_back_no_news_and_no_alert(stores, start, live_through):
    store = stores[0]
    old = surge(BEGIN + 20 * DAY + HOUR)
    news = [*trickle(), *old, *surge(NOW - 12 * HOUR, first=3_000)]
    running = start(store)
    live_through(running, news)
    purge(store, NOW - 20 * DAY)
    before, kept = told(running), [item.id for item in running.items(500)]
    assert len(kept) < len(news)
    for service in (running, start(store), start(store)):
        taken = service.push(news)
        assert taken.new == 0
        assert taken.expired > 30
        assert told(service) == before
        assert [item.id for item in service.items(500)] == kept


def test_servers_that_ran_on_and_servers_that_were_started_again_agree(stores, start, live_through):
    store = stores[0]
    servers = [start(store), start(store)]
    live_through(servers[0], [*trickle(), *surge(NOW - 30 * HOUR)])
    purged(store)
    servers[1] = start(store)
    for number, item in enumerate(surge(NOW - 12 * HOUR, first=4_000)):
        servers[number % 2].push([item])
        assert told(servers[0]) == told(servers[1])
    assert servers[0].watchlist() == servers[1].watchlist()
    opened = [step.state for step in servers[0].alert(servers[0].alerts(1)[0].id).history]
    assert opened == ["open"]


def test_a_surge_at_the_end_of_all_news_stays_until_others_have_come(stores, start, live_through):
    store = stores[0]
    running = start(store)
    live_through(running, [*trickle()[:20], *surge(BEGIN + 39 * DAY)])
    running.pass_time(NOW)
    before = told(running)
    assert [alert["state"] for alert in before] == ["resolved"]
    purge(store, NOW - DAY)
    purge(store, NOW - DAY)
    assert told(start(store)) == before


def test_nothing_stays_of_a_company_that_is_silent_for_long(stores, start, live_through):
    store = stores[0]
    running = start(store)
    live_through(running, trickle()[:20])
    running.push([Item(key="other", time=NOW, company="Other", headline="opens an office")])
    purge(store, NOW - 30 * DAY)
    assert [item.company for item in running.items(500)] == ["Other"]


def test_a_running_monitor_forgets_what_was_purged(stores, start, live_through):
    running = start(stores[0])
    live_through(running, trickle())
    before = len(running._watcher._monitor)
    purged(stores[0])
    running.catch_up()
    assert len(running._watcher._monitor) == len(running.items(500)) < before / 2


def test_who_reads_late_counts_what_was_ahead_in_its_turn(stores, start, present):
    """Stories count in the order in which they come true or arrive, however much later somebody reads them."""
    prompt, late = (start(stores[0]) for _ in range(2))
    deliveries = [(0.0, [0.5, 10.0]), (1.0, [1.5]), (1.2, [-2.5, -1.0, 0.2])]  # when, and the times of its items
    for number, (hours, times) in enumerate(deliveries):
        present[0] = NOW + hours * HOUR
        prompt.push([bad(NOW + time * HOUR, 10 * number + at) for at, time in enumerate(times)])
        if number < 2:
            late.tick()
    present[0] = NOW + 14 * HOUR
    for service in (prompt, late, start(stores[0])):
        service.tick()
        assert list(service._watcher._monitor._counted) == [1, 4, 5, 6, 3, 2]
