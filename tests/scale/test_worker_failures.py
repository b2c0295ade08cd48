"""What a worker does with entries that make an app fail, with a real Redis and an app of a few lines."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest

from core.platform.apps.worker import _take_some
from core.platform.queues.consumer import Consumer
from core.platform.queues.stream import Stream
from core.util.errors import SteerError, UnavailableError

IDLE = timedelta(milliseconds=30)


@pytest.fixture
def consumer(redis):
    stream = Stream(redis.url, f"test-{uuid4().hex}")
    for number in range(7):
        stream.publish(str(number), {"number": number})
    return Consumer(stream, "group", "a", idle=IDLE, attempts=3)


def taken_by(taken, fails):
    """Takes in all entries or none, like a transaction."""

    def take(entries):
        for entry in entries:
            fails(entry.payload["number"])
        taken.extend(entry.payload["number"] for entry in entries)
        return []

    return take


def rounds(consumer, take, count: int = 1) -> None:
    for _ in range(count):
        threading.Event().wait(2 * IDLE.total_seconds())
        _take_some(consumer, take, threading.Event())


def test_an_entry_that_a_store_cannot_keep_goes_to_the_dead_letters_at_once_and_alone(consumer):
    def fails(number: int) -> None:
        if number in (2, 5):
            raise SteerError(f"the store cannot keep {number}")

    taken: list[int] = []
    rounds(consumer, taken_by(taken, fails))
    assert sorted(taken) == [0, 1, 3, 4, 6]
    assert [letter["reason"] for letter in consumer.stream.dead()] == [
        "the store cannot keep 2",
        "the store cannot keep 5",
    ]


def test_an_entry_that_meets_an_error_of_ours_is_tried_again_and_then_given_up_with_its_reason(consumer):
    def fails(number: int) -> None:
        if number == 3:
            raise ZeroDivisionError("by three")

    taken: list[int] = []
    rounds(consumer, taken_by(taken, fails))
    assert sorted(taken) == [0, 1, 2, 4, 5, 6]
    assert consumer.stream.dead() == []
    rounds(consumer, taken_by(taken, fails), 4)
    assert [letter["reason"] for letter in consumer.stream.dead()] == ["by three"]
    assert sorted(taken) == [0, 1, 2, 4, 5, 6]


def test_an_outage_blames_no_entry(consumer):
    def fails(number: int) -> None:
        raise UnavailableError("the store does not answer")

    stop = threading.Event()
    stop.set()
    _take_some(consumer, taken_by([], fails), stop)
    assert consumer.stream.dead() == []
    taken: list[int] = []
    rounds(consumer, taken_by(taken, lambda number: None))
    assert sorted(taken) == list(range(7))
