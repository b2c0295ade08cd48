"""A bad entry of a stream goes to the dead letters alone, at once and with its reason, and its neighbours arrive."""

import json
import subprocess
import sys
import time
from uuid import uuid4

import pytest
from sqlalchemy import select

from apps.finance_monitor.tables import News
from core.platform.queues.stream import Stream
from core.platform.store.database import open_store

pytestmark = pytest.mark.slow

GOOD = {"time": "2026-03-01T12:00:00Z", "company": "corvane", "headline": "Corvane opens a plant"}
KEY = "key of the sender"


def changed(**more) -> dict:
    """The fields of an entry whose payload differs from a good one."""
    return {"key": KEY, "payload": json.dumps({**GOOD, **more})}


BAD = {
    "NUL in the headline": (changed(headline="a\0b"), "headline: "),
    "NUL in the company": (changed(company="a\0b"), "company: "),
    "NUL in the key": ({**changed(), "key": "a\0b"}, "key: "),
    "half a pair in the headline": (changed(headline="a\ud800b"), "headline: "),
    "half a pair in the company": (changed(company="\udfff"), "company: "),
    "headline too long": (changed(headline="x" * 501), "headline: "),
    "company too long": (changed(company="x" * 81), "company: "),
    "key too long": ({**changed(), "key": "x" * 201}, "key: "),
    "headline a number": (changed(headline=7), "headline: "),
    "headline a list": (changed(headline=["a"]), "headline: "),
    "company null": (changed(company=None), "company: "),
    "time a number": (changed(time=1_700_000_000), "time: "),
    "time without zone": (changed(time="2026-03-01T12:00:00"), "time: "),
    "time that is none": (changed(time="tomorrow"), "time: "),
    "time of no calendar": (changed(time="9999-12-31T23:59:59Z"), "time: "),
    "no headline": ({"key": KEY, "payload": json.dumps({"time": GOOD["time"], "company": "corvane"})}, "headline: "),
    "a list": ({"key": KEY, "payload": json.dumps([GOOD])}, "no JSON object"),
    "null": ({"key": KEY, "payload": "null"}, "no JSON object"),
    "not JSON": ({"key": KEY, "payload": "{"}, "not JSON"),
    "not UTF-8": ({"key": KEY, "payload": b'{"headline": "\xff"}'}, "not JSON"),
    "a key that is not UTF-8": ({**changed(), "key": b"\xff\xfe"}, "not JSON"),
    "too deep": ({"key": KEY, "payload": "[" * 100_000}, "not JSON"),
    "too many digits": ({"key": KEY, "payload": "9" * 5_000}, "not JSON"),
    "empty": ({"key": KEY, "payload": ""}, "not JSON"),
    "other fields": ({"headline": "from somebody else"}, "lacks the fields"),
}


def published(stream: Stream, number: int) -> None:
    stream.publish(f"good-{number}", {**GOOD, "headline": f"Corvane opens plant {number}"})


@pytest.fixture(params=["sqlite", "postgresql"])
def worker(request, runs, redis, tmp_path):
    """A worker on a stream of bad entries, each between good ones: the stream, the store and the process."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'steer.db'}"
    else:
        url = request.getfixturevalue("postgres").database(f"test_{uuid4().hex}")
    (tmp_path / "finance_monitor").symlink_to(runs / "finance_monitor")
    store, stream = open_store(url), Stream(redis.url, f"bad-{uuid4().hex}")
    for number, (fields, _) in enumerate(BAD.values()):
        published(stream, number)
        stream.redis.xadd(stream.key, fields)
    published(stream, len(BAD))
    arguments = ["work", "finance_monitor", "--queue", f"{redis.url}/{stream.name}", "--store", url]
    process = subprocess.Popen([sys.executable, "-m", "core", *arguments, "--runs", str(tmp_path)])
    yield stream, store, process
    process.terminate()
    assert process.wait(timeout=60) == 0
    store.close()


def kept(store) -> set[str]:
    with store.reading() as session:
        return set(session.scalars(select(News.key)))


def test_bad_entries_go_to_the_dead_letters_alone_each_with_its_reason(worker):
    stream, store, process = worker
    end = time.monotonic() + 240
    while len(kept(store)) <= len(BAD) and time.monotonic() < end:
        time.sleep(0.2)
    assert kept(store) == {f"good-{number}" for number in range(len(BAD) + 1)}
    end = time.monotonic() + 20
    while len(stream.dead()) < len(BAD) and time.monotonic() < end:
        time.sleep(0.2)
    reasons = [letter["reason"] for letter in stream.dead()]
    wanted = [reason for _, reason in BAD.values()]
    unmatched = [want for want in wanted if not any(want in reason for reason in reasons)]
    assert (len(reasons), unmatched) == (len(BAD), [])
    assert process.poll() is None, "nothing had to be started again"
    assert stream.redis.xpending(stream.key, "steer")["pending"] == 0
