"""What was computed once is not computed again, for as long as there is room."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.util.lru_cache import LRUCache


class Counting:
    """Squares numbers, and knows which it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __call__(self, numbers: list[int]) -> list[int]:
        self.asked.append(numbers)
        return [number**2 for number in numbers]


def test_only_what_is_new_is_computed_and_that_once():
    squares, compute = LRUCache(10), Counting()
    assert squares.get([3, 1, 3], compute) == [9, 1, 9]
    assert squares.get([1, 2, 3], compute) == [1, 4, 9]
    assert squares.get([], compute) == []
    assert compute.asked == [[3, 1], [2]]


def test_what_nobody_asked_for_goes_first():
    squares, compute = LRUCache(2), Counting()
    squares.get([1, 2], compute)
    squares.get([1], compute)
    squares.get([3], compute)
    assert [number in squares for number in (1, 2, 3)] == [True, False, True]


def test_a_batch_larger_than_the_room_is_answered_whole():
    squares = LRUCache(2)
    assert squares.get(range(5), Counting()) == [0, 1, 4, 9, 16]
    assert len(squares) == 2


def test_values_that_do_not_match_the_keys_are_an_error():
    with pytest.raises(ValueError, match="shorter"):
        LRUCache(2).get([1, 2], lambda new: [1])


def test_threads_that_share_it_get_their_own_values():
    squares = LRUCache(20)

    def ask(thread: int) -> bool:
        keys = [(thread * turn) % 50 for turn in range(200)]
        return squares.get(keys, Counting()) == [key**2 for key in keys]

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(100)))
    assert len(squares) == 20


def test_copies_share_what_is_remembered():
    squares, compute = LRUCache(10), Counting()
    squares.get([1], compute)
    copy.deepcopy({"cache": squares})["cache"].get([1], compute)
    assert compute.asked == [[1]]
