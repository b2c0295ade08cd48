"""The finance monitor follows a stream in a real Redis."""

import threading
import time
from uuid import uuid4

import pytest

from apps.finance_monitor.feed import Item
from apps.finance_monitor.follow import FEED_VARIABLE, follow
from apps.finance_monitor.redis_feed import RedisFeed
from apps.finance_monitor.replay import PinnedModel
from apps.finance_monitor.service import MonitorService
from core.platform.queues.stream import Stream
from core.platform.store.database import open_store
from core.rl.explore import Explorer
from core.util.errors import SteerError

ROW = {"time": "2025-03-03T09:00:00Z", "company": "corvane", "headline": "Corvane plant on fire"}


@pytest.fixture
def stream(redis):
    return Stream(redis.url, f"news-{uuid4().hex}")


def test_malformed_entries_are_noted_and_the_good_ones_arrive(stream):
    stream.publish("1", ROW)
    stream.redis.xadd(stream.key, {"headline": "from somebody else"})
    stream.redis.xadd(stream.key, {"key": "2", "payload": b"\xff"})
    stream.publish("3", {**ROW, "time": "tomorrow"})
    stream.publish("4", {**ROW, "headline": ""})
    stream.publish("5", ROW)
    feed = RedisFeed(f"{stream.url}/{stream.name}")
    assert [item.headline for item in feed.poll()] == [ROW["headline"]] * 2
    assert [reason.split(": ", 1)[1].split()[0] for reason in feed.rejected] == ["it", "not", "time:", "headline:"]
    assert feed.poll() == []


def test_every_server_sees_every_item_and_an_item_sent_twice_once(stream):
    first, second = (RedisFeed(f"{stream.url}/{stream.name}") for _ in range(2))
    stream.publish("agency-1", ROW)
    stream.publish("agency-1", ROW)
    assert len(first.poll()) == len(second.poll()) == 1


def test_a_restart_of_redis_is_only_a_pause(stream, redis):
    feed = RedisFeed(f"{stream.url}/{stream.name}")
    stream.publish("1", ROW)
    assert len(feed.poll()) == 1
    redis.kill()
    redis.start()
    stream.publish("2", ROW)
    assert len(feed.poll()) == 1


def test_the_monitor_keeps_what_is_published_while_it_runs_under_its_agencys_keys(
    stream, services, monkeypatch, tmp_path
):
    stream.publish("1", ROW)
    monkeypatch.setenv(FEED_VARIABLE, f"{stream.url}/{stream.name}")
    store, stop = open_store(f"sqlite:///{tmp_path / 'steer.db'}"), threading.Event()
    monitor = MonitorService(store, PinnedModel((services["finance_monitor"], "v0001")), Explorer())
    thread = threading.Thread(target=follow, args=(monitor, stop))
    thread.start()
    _wait_for(1, monitor)
    stream.publish("2", {**ROW, "headline": "Corvane shares fall"})
    _wait_for(2, monitor)
    stop.set()
    thread.join(timeout=20)
    assert monitor.push([Item(**ROW, key=key) for key in ("1", "2", "3")]).new == 1
    store.close()


def _wait_for(items: int, monitor: MonitorService) -> None:
    until = time.monotonic() + 60
    while len(monitor.items(9)) < items and time.monotonic() < until:
        time.sleep(0.1)
    assert len(monitor.items(9)) == items


@pytest.mark.parametrize(
    "address", ["redis://127.0.0.1", "redis://127.0.0.1/0", "redis://127.0.0.1/news", "redis:///0/news"]
)
def test_an_address_without_a_stream_is_explained(address):
    with pytest.raises(SteerError, match="write redis://USER:PASSWORD@HOST:PORT/0/NAME"):
        RedisFeed(address)
