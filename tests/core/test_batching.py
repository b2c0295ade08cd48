"""Requests of many threads are worked off together, and nobody notices but by the speed."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest

from core.util.batching import Batch, Batcher, BusyError


@pytest.fixture
def make():
    """Makes batchers that are closed when the test ends."""
    made: list[Batcher] = []

    def batcher(work, **options) -> Batcher:
        made.append(Batcher(work, **options))
        return made[-1]

    yield batcher
    for batcher in made:
        batcher.close()


class Gate:
    """Work that doubles numbers, and does not end before it is allowed to."""

    def __init__(self) -> None:
        self.open, self.begun = threading.Event(), threading.Event()
        self.batches: list[list[int]] = []

    def work(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        self.begun.set()
        assert self.open.wait(10)
        return [2 * item for item in items]


def seconds(call) -> float:
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


def wait_until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_what_arrives_during_the_work_is_the_next_batch(make):
    gate = Gate()
    batcher = make(gate.work, max_size=8)
    with ThreadPoolExecutor(21) as pool:
        first = pool.submit(batcher.submit, 0)
        assert gate.begun.wait(10)
        rest = [pool.submit(batcher.submit, item) for item in range(1, 21)]
        wait_until(lambda: len(batcher._waiting) == 20)
        gate.open.set()
        assert [first.result(), *(answer.result() for answer in rest)] == [2 * item for item in range(21)]
    assert [len(batch) for batch in gate.batches] == [1, 8, 8, 4]


def test_each_of_32_threads_gets_its_own_results_in_order(make):
    batcher = make(lambda items: [(item, sum(item)) for item in items], max_size=16)

    def ask(thread: int) -> list:
        return [batcher.submit((thread, turn)) for turn in range(100)]

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(ask, range(32)))
    assert answers == [[((thread, turn), thread + turn) for turn in range(100)] for thread in range(32)]


def test_threads_that_ask_again_and_again_share_batches(make):
    sizes: list[int] = []

    def work(items: list[int]) -> list[int]:
        time.sleep(0.005)
        sizes.append(len(items))
        return items

    batcher = make(work, delay=0.1)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda thread: [batcher.submit(thread) for _ in range(20)], range(8)))
    assert median(sizes) == 8


def test_a_lone_caller_never_waits_for_others(make):
    batcher = make(lambda items: items, delay=10.0)
    assert seconds(lambda: [batcher.submit(item) for item in range(100)]) < 1.0


def test_somebody_who_stays_behind_alone_waits_at_most_once(make):
    gate = Gate()
    batcher = make(gate.work, delay=0.2)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(batcher.submit, 0)]
        assert gate.begun.wait(10)
        answers += [pool.submit(batcher.submit, item) for item in range(1, 8)]
        wait_until(lambda: len(batcher._waiting) == 7)
        gate.open.set()
        assert all(answer.result() is not None for answer in answers)
    assert seconds(lambda: batcher.submit(1)) < 2.0
    assert seconds(lambda: [batcher.submit(item) for item in range(20)]) < 0.2


def test_coroutines_get_their_own_results_and_block_nobody(make):
    batcher = make(lambda items: [(item, sum(item)) for item in items], max_size=16)

    async def ask(number: int) -> list:
        return [await batcher.answer((number, turn)) for turn in range(20)]

    async def all_at_once() -> list:
        return await asyncio.gather(*map(ask, range(64)))

    answers = asyncio.run(all_at_once())
    assert answers == [[((number, turn), number + turn) for turn in range(20)] for number in range(64)]


def test_who_gives_up_is_left_out_of_the_batch_and_harms_nobody(make):
    gate = Gate()
    batcher = make(gate.work)

    async def impatient() -> int:
        first = asyncio.create_task(batcher.answer(0))
        while not gate.begun.is_set():
            await asyncio.sleep(0.001)
        gone = [asyncio.create_task(batcher.answer(item)) for item in (1, 2)]
        stays = asyncio.create_task(batcher.answer(3))
        await asyncio.sleep(0.01)
        for task in (first, *gone):  # the first one's batch has begun already
            task.cancel()
        await asyncio.gather(first, *gone, return_exceptions=True)  # before the work can go on
        gate.open.set()
        return await stays

    assert asyncio.run(impatient()) == 6
    assert gate.batches == [[0], [3]]


def test_a_batch_that_everybody_gave_up_does_not_end_the_work(make):
    gate = Gate()
    batcher = make(gate.work, delay=0.0)

    async def all_impatient() -> None:
        first = asyncio.create_task(batcher.answer(0))
        while not gate.begun.is_set():
            await asyncio.sleep(0.001)
        gone = [asyncio.create_task(batcher.answer(item)) for item in (1, 2)]
        await asyncio.sleep(0.01)
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)  # before the work can go on
        gate.open.set()
        await first

    asyncio.run(all_impatient())
    wait_until(lambda: not batcher._waiting)  # else the next one shares their batch
    assert batcher.submit(3) == 6
    assert gate.batches == [[0], [3]]


def test_one_bad_item_fails_alone(make):
    gate = Gate()

    def work(items: list[int]) -> list[float]:
        gate.work(items)
        return [1 / item for item in items]

    batcher = make(work)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(batcher.submit, item) for item in (1, 2, 0, 4)]
        gate.open.set()
        with pytest.raises(ZeroDivisionError):
            answers[2].result()
        assert [answers[at].result() for at in (0, 1, 3)] == [1, 0.5, 0.25]


def test_after_a_final_error_nothing_is_tried_again(make):
    gate = Gate()

    def work(items: list[int]) -> list[int]:
        gate.work(items)
        raise ConnectionError

    batcher = make(work, final=(ConnectionError,))
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(batcher.submit, 0)]
        assert gate.begun.wait(10)
        answers += [pool.submit(batcher.submit, item) for item in (1, 2)]
        wait_until(lambda: len(batcher._waiting) == 2)  # they share a batch
        gate.open.set()
        assert all(isinstance(answer.exception(), ConnectionError) for answer in answers)
    assert [sorted(batch) for batch in gate.batches] == [[0], [1, 2]]


def test_work_that_forgets_an_item_is_an_error_and_not_a_mix_up(make):
    batcher = make(lambda items: [])
    with pytest.raises(ValueError, match="shorter"):
        batcher.submit(1)


def test_a_full_queue_says_busy_and_goes_on_later(make):
    gate = Gate()
    batcher = make(gate.work, capacity=2)
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(batcher.submit, 1)]
        assert gate.begun.wait(10)
        answers += [pool.submit(batcher.submit, item) for item in (2, 3)]
        wait_until(lambda: len(batcher._waiting) == 2)
        with pytest.raises(BusyError, match="try again"):
            batcher.submit(4)
        gate.open.set()
        assert [answer.result() for answer in answers] == [2, 4, 6]
    assert batcher.submit(4) == 8


def test_closing_finishes_what_was_taken_and_takes_no_more():
    gate = Gate()
    batcher = Batcher(gate.work, max_size=2)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(batcher.submit, item) for item in range(6)]
        wait_until(lambda: len(batcher._waiting) + sum(map(len, gate.batches)) == 6)
        closing = pool.submit(batcher.close)
        wait_until(lambda: batcher._closed)
        with pytest.raises(BusyError, match="stopping"):
            batcher.submit(7)
        assert not closing.done()
        gate.open.set()
        closing.result()
        assert [answer.result() for answer in answers] == [2 * item for item in range(6)]
    batcher.close()  # once more does nothing


def test_every_batch_is_reported(make):
    gate = Gate()
    reports: list[Batch] = []
    batcher = make(gate.work, on_batch=reports.append)
    with ThreadPoolExecutor(5) as pool:
        pool.submit(batcher.submit, 0)
        assert gate.begun.wait(10)
        others = [pool.submit(batcher.submit, item) for item in range(4)]
        wait_until(lambda: len(batcher._waiting) == 4)
        time.sleep(0.05)
        gate.open.set()
        assert all(other.result() is not None for other in others)
    batcher.close()
    alone, together = reports
    assert isinstance(alone, Batch)
    assert (alone.size, alone.queue) == (1, 4)
    assert (together.size, together.queue) == (4, 0)
    assert alone.worked >= 0.05
    assert 0.05 <= together.waited < 5
    assert together.worked < 0.05
