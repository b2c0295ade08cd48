"""Streams against a real Redis: keys, groups, dead consumers, dead letters, kills of the server."""

import subprocess
import sys
import threading
import traceback
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest

from core.platform.queues.connection import split_address
from core.platform.queues.consumer import Consumer
from core.platform.queues.stream import MAX_PAYLOAD_BYTES, Stream
from core.util.errors import SteerError, UnavailableError

NOW = timedelta(0)
SOON = timedelta(milliseconds=50)


@pytest.fixture
def stream(redis):
    stream = Stream(redis.url, f"test-{uuid4().hex}")
    yield stream
    stream.close()


def test_what_is_published_is_taken_once_by_each_group(stream):
    for number in range(5):
        assert stream.publish(str(number), {"number": number})
    first, second = Consumer(stream, "one", "a"), Consumer(stream, "one", "b")
    shared = first.take(3, NOW) + second.take(9, NOW)
    assert [entry.payload["number"] for entry in shared] == [0, 1, 2, 3, 4]
    assert len(Consumer(stream, "another", "a").take(9, NOW)) == 5


def test_the_same_key_twice_is_one_entry_until_its_window_has_passed(redis):
    stream = Stream(redis.url, f"test-{uuid4().hex}", window=timedelta(milliseconds=200))
    assert stream.publish("k", {"text": "first"})
    assert not stream.publish("k", {"text": "again"})
    assert [entry.payload for entry in stream.read()] == [{"text": "first"}]
    threading.Event().wait(0.3)
    assert stream.publish("k", {"text": "much later"})


def test_one_key_from_many_threads_at_once_is_one_entry(stream):
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(stream.publish("k", {}))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 15 + [True]


def test_a_full_stream_drops_what_is_finished_and_never_what_is_not(redis):
    stream = Stream(redis.url, f"test-{uuid4().hex}", length=10)
    consumer = Consumer(stream, "group", "a")
    for number in range(10):
        stream.publish(str(number), {"number": number})
    with pytest.raises(UnavailableError, match="have not finished"):
        stream.publish("10", {"number": 10})
    begun = consumer.take(4, NOW)
    consumer.done(begun[:1])
    consumer.done(begun[2:])  # 1 is still being worked on, and 2 and 3 behind it are finished
    assert stream.publish("10", {"number": 10})
    with pytest.raises(UnavailableError):
        stream.publish("11", {"number": 11})
    consumer.done(begun[1:2])
    assert stream.publish("11", {"number": 11})
    assert [entry.payload["number"] for entry in stream.read()] == [*range(4, 12)]


def test_a_stream_that_no_group_reads_keeps_its_newest_entries(redis):
    stream = Stream(redis.url, f"test-{uuid4().hex}", length=200)
    for number in range(500):
        stream.publish(str(number), {"number": number})
    kept = [entry.payload["number"] for entry in stream.read()]
    assert kept == [*range(500 - len(kept), 500)]
    assert 100 <= len(kept) <= 200


def test_an_entry_that_is_not_done_is_handed_out_again_and_one_that_is_done_never(stream):
    consumer = Consumer(stream, "group", "a", idle=SOON)
    stream.publish("bad", {})
    stream.publish("good", {})
    bad, good = consumer.take(9, NOW)
    consumer.done([good])
    again = consumer.take(9, timedelta(seconds=2))
    assert [(entry.key, entry.attempts) for entry in again] == [("bad", 2)]
    assert bad.attempts == 1


def test_what_is_given_up_goes_to_the_dead_letters_at_once_with_the_reason(stream):
    consumer = Consumer(stream, "group", "a", idle=SOON)
    stream.publish("poison", {"text": "x"})
    [entry] = consumer.take(9, NOW)
    consumer.give_up(entry, "no such company")
    assert consumer.take(9, timedelta(milliseconds=300)) == []
    [letter] = stream.dead()
    assert (letter["key"], letter["reason"], letter["group"]) == ("poison", "no such company", "group")


def test_what_kills_its_consumers_is_given_up(stream):
    stream.publish("deadly", {})
    for life in range(3):
        assert len(Consumer(stream, "group", str(life), idle=SOON, attempts=3).take(9, timedelta(seconds=2))) == 1
    assert Consumer(stream, "group", "last", idle=SOON, attempts=3).take(9, timedelta(milliseconds=300)) == []
    assert "no consumer lived" in stream.dead()[0]["reason"]


@pytest.mark.parametrize(
    "fields",
    [{"text": "x"}, {"key": "k", "payload": "{"}, {"key": "k", "payload": b"\xff\xfe"}, {"key": "k", "payload": "[1]"}],
)
def test_an_entry_of_somebody_else_goes_to_the_dead_letters_and_holds_up_nobody(stream, fields):
    stream.redis.xadd(stream.key, fields)
    stream.publish("ours", {})
    assert [entry.key for entry in Consumer(stream, "group", "a").take(9, NOW)] == ["ours"]
    assert len(stream.dead()) == 1


TAKES_AND_HANGS = """
import sys, time
from core.platform.queues.consumer import Consumer
from core.platform.queues.stream import Stream
entries = Consumer(Stream(*sys.argv[1:]), "group", "victim").take(2)
print(*(entry.key for entry in entries), flush=True)
time.sleep(600)
"""


def test_the_entries_of_a_killed_consumer_are_taken_over(stream):
    for number in range(5):
        stream.publish(str(number), {})
    process = subprocess.Popen(
        [sys.executable, "-c", TAKES_AND_HANGS, stream.url, stream.name], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().split() == ["0", "1"]
    process.kill()
    process.wait()
    survivor = Consumer(stream, "group", "survivor", idle=timedelta(milliseconds=500))
    taken = Counter()
    while len(taken) < 5:
        entries = survivor.take(9, timedelta(seconds=5))
        survivor.done(entries)
        taken.update(entry.key for entry in entries)
    assert taken == Counter("01234")


def test_kills_of_redis_lose_no_acknowledged_entry_and_double_none(redis):
    stream = Stream(redis.url, f"test-{uuid4().hex}")
    consumer = Consumer(stream, "group", "a", idle=timedelta(milliseconds=200))
    published, taken, stop = [], Counter(), threading.Event()

    def publish() -> None:
        number = 0
        while not stop.is_set():
            stream.publish(str(number), {})  # waits for Redis to come back by itself
            published.append(str(number))
            number += 1

    def consume() -> None:
        while publisher.is_alive() or len(taken) < len(published):
            entries = consumer.take(20, timedelta(milliseconds=100))
            consumer.done(entries)
            taken.update(entry.key for entry in entries)

    publisher, consuming = threading.Thread(target=publish), threading.Thread(target=consume)
    publisher.start()
    consuming.start()
    for _ in range(5):
        stop.wait(0.3)
        redis.kill()
        redis.start()
    stop.wait(0.3)
    stop.set()
    publisher.join(timeout=60)
    consuming.join(timeout=60)
    entries = [entry.key for entry in stream.read(limit=1_000_000)]
    assert len(published) > 50
    assert entries == published
    assert set(taken) == set(published)


def test_a_redis_that_is_away_is_named_without_its_password(redis):
    with pytest.raises(UnavailableError, match="does not answer") as failure:
        Stream("redis://:secret@127.0.0.1:1/0", "news")
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize(
    "address",
    [
        "redis://:secret@127.0.0.1:port/0/news",
        "redis://:se/secret@127.0.0.1/0/news",
        "redis:/:secret@127.0.0.1/0/news",
        "redis://127.0.0.1:secret/0/news",
        "redis://[:secret@127.0.0.1/0/news",
        "redis://:secret@127.0.0.1/news",
    ],
)
def test_a_mistyped_address_says_what_to_write_and_no_password(address):
    with pytest.raises(SteerError, match="write redis://USER:PASSWORD@HOST") as failure:
        split_address(address)
    assert "secret" not in "".join(traceback.format_exception(failure.value))


def test_a_wrong_address_and_an_endless_message_get_advice(stream):
    with pytest.raises(SteerError, match="no address of a Redis server"):
        Stream("http://127.0.0.1", "news")
    with pytest.raises(SteerError, match="store it and send where it lies"):
        stream.publish("k", {"text": "x" * MAX_PAYLOAD_BYTES})
    with pytest.raises(SteerError, match="no JSON"):
        stream.publish("k", {"share": float("nan")})


def test_a_consumer_goes_on_after_the_server_has_come_back_without_its_data(stream):
    consumer = Consumer(stream, "group", "a")
    stream.publish("1", {"number": 1})
    assert len(consumer.take(9, NOW)) == 1
    stream.redis.flushall()
    assert consumer.take(9, NOW) == []
    stream.publish("2", {"number": 2})
    assert [entry.payload["number"] for entry in consumer.take(9, NOW)] == [2]


def test_a_server_that_takes_no_writes_may_take_them_in_a_moment(stream):
    consumer = Consumer(stream, "group", "a")
    stream.publish("1", {"number": 1})
    (entry,) = consumer.take(9, NOW)
    writes = [lambda: stream.publish("2", {"number": 2}), lambda: consumer.give_up(entry, "wrong")]
    for setting, refused in (("maxmemory", writes), ("min-replicas-to-write", writes[1:])):  # the second spares scripts
        stream.redis.config_set(setting, "1")
        try:
            for write in refused:
                with pytest.raises(UnavailableError, match="takes no writes at the moment"):
                    write()
        finally:
            stream.redis.config_set(setting, "0")
    assert stream.publish("2", {"number": 2})


def test_a_reason_that_quotes_what_is_wrong_is_kept(stream):
    consumer = Consumer(stream, "group", "a")
    stream.publish("1", {"number": 1})
    (entry,) = consumer.take(9, NOW)
    consumer.give_up(entry, "no such name: half a pair \ud800 and a NUL \0")
    assert stream.dead()[0]["reason"] == "no such name: half a pair ? and a NUL \0"
