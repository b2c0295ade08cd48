"""`steer work`: news from a queue reach the store once, whoever is killed meanwhile."""

import subprocess
import sys
import time

import pytest
from sqlalchemy import func, select

from apps.finance_monitor.tables import News
from core.platform.queues.stream import Stream
from core.platform.store.database import open_store

pytestmark = pytest.mark.slow

ITEMS = 300


def worker(runs, store: str, queue: str) -> subprocess.Popen[bytes]:
    arguments = ["work", "finance_monitor", "--queue", queue, "--store", store, "--runs", str(runs)]
    return subprocess.Popen([sys.executable, "-m", "core", *arguments])


def kept(store) -> dict[str, int]:
    with store.reading() as session:
        return dict(session.execute(select(News.key, func.count()).group_by(News.key)).all())


def wait_for(count: int, store, seconds: float) -> None:
    until = time.monotonic() + seconds
    while len(kept(store)) < count and time.monotonic() < until:
        time.sleep(0.2)
    assert len(kept(store)) >= count


def test_a_killed_worker_leaves_its_news_to_the_next(runs, redis, tmp_path):
    (tmp_path / "finance_monitor").symlink_to(runs / "finance_monitor")  # versions stand beside it, for one store
    url = f"sqlite:///{tmp_path / 'steer.db'}"
    store, stream = open_store(url), Stream(redis.url, "worker-test")
    for at in range(ITEMS):
        stream.publish(f"item-{at}", {"time": "2026-03-01T12:00:00Z", "company": "Corvane", "headline": f"News {at}"})
    stream.publish("wrong", {"company": "Corvane", "headline": "It has no time"})
    first = worker(tmp_path, url, f"{redis.url}/worker-test")
    wait_for(1, store, 240)
    first.kill()
    first.wait()
    second = worker(tmp_path, url, f"{redis.url}/worker-test")
    try:
        wait_for(ITEMS, store, 240)
        second.terminate()
        assert second.wait(timeout=60) == 0
    finally:
        second.kill()
    assert kept(store) == {f"item-{at}": 1 for at in range(ITEMS)}
    store.close()


def test_an_app_that_takes_nothing_from_queues_says_so(runs, redis, tmp_path):
    arguments = ["work", "recommender", "--queue", f"{redis.url}/none", "--store", f"sqlite:///{tmp_path / 'steer.db'}"]
    done = subprocess.run(
        [sys.executable, "-m", "core", *arguments, "--runs", str(runs)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "recommender takes nothing from queues" in done.stderr
