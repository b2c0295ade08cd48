"""What each split knows of a user and wants of them, on users whose likes can be counted on paper."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.recommender.data import Events, Item, ShopData
from apps.recommender.splits import history_cuts, known_histories, retriever_histories

DISLIKED, LIKED = False, True
ITEMS = tuple(Item(row, str(row), f"film {row}") for row in range(600))


def of_likes(count: int) -> ShopData:
    """One user who likes films 100, 101, ... and nothing else."""
    return ShopData(ITEMS, {"7": Events(np.arange(100, 100 + count), np.full(count, LIKED))})


def firsts(likes: int, split: str) -> list[int]:
    """Which like each cut of the user begins with."""
    return [int(cut.relevant[0]) - 100 for cut in history_cuts(of_likes(likes), split)]


def test_the_last_five_likes_are_the_test_and_the_five_before_them_the_validation():
    (test,), (validation,) = (history_cuts(of_likes(30), split) for split in ("test", "validation"))
    assert test.user == validation.user == "7"
    assert test.relevant.tolist() == [125, 126, 127, 128, 129]
    assert validation.relevant.tolist() == [120, 121, 122, 123, 124]
    assert test.liked.tolist() == test.seen.tolist() == list(range(100, 125))
    assert validation.liked.tolist() == validation.seen.tolist() == list(range(100, 120))


@pytest.mark.parametrize(
    ("likes", "windows"),
    [
        (20, []),  # 10 before the validation, of which the retriever learns 6: no five are left
        (21, [6]),
        (30, [15]),  # the retriever's are the first 12; from 10 on would overlap
        (60, [45, 40, 35, 30]),
        (100, [85, 80, 75, 70, 65, 60, 55]),
        (400, [385, 380, 375, 370, 365, 360, 355, 350, 345, 340, 335, 330]),  # twelve at most, the newest
    ],
)
def test_a_ranker_trains_on_windows_of_five_from_the_newest_back_to_the_retrievers_share(likes, windows):
    assert firsts(likes, "train") == windows


def test_fifteen_likes_are_enough_for_a_split():
    assert [firsts(15, split) for split in ("train", "validation", "test")] == [[], [5], [10]]
    assert [firsts(14, split) for split in ("train", "validation", "test")] == [[], [], []]


def test_the_retriever_learns_three_fifths_of_what_lies_before_the_validation():
    for likes, share in ((15, 3), (30, 12), (100, 54)):
        (history,) = retriever_histories(of_likes(likes))
        assert history.tolist() == list(range(100, 100 + share))


def test_the_retriever_learns_everything_of_users_who_are_not_split():
    (history,) = retriever_histories(of_likes(14))
    assert history.tolist() == list(range(100, 114))


def test_films_that_were_not_liked_are_seen_and_never_wanted():
    data = ShopData(ITEMS, {"1": Events(np.arange(32), np.array([DISLIKED, LIKED] * 16))})
    (test,) = history_cuts(data, "test")
    assert test.relevant.tolist() == [23, 25, 27, 29, 31]
    assert test.liked.tolist() == [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21]
    assert test.seen.tolist() == list(range(23))
    (history,) = retriever_histories(data)
    assert history.tolist() == [1, 3, 5]


def known(likes: int, split: str) -> list[int]:
    return known_histories(of_likes(likes), split)["7"].tolist()


def test_before_the_test_all_but_the_last_five_likes_are_known_and_before_the_validation_all_but_ten():
    assert known(30, "test") == list(range(100, 125))
    assert known(30, "validation") == known(30, "train") == list(range(100, 120))
    assert known(15, "test") == list(range(100, 110))
    assert known(15, "validation") == known(15, "train") == list(range(100, 105))


def test_all_is_known_of_users_who_are_not_split():
    for split in ("train", "validation", "test"):
        assert known(14, split) == list(range(100, 114))
        assert known(0, split) == []


def test_what_is_known_of_each_user_are_their_own_likes_alone():
    liked, mixed = np.full(6, LIKED), np.array([LIKED, DISLIKED] * 7)
    users = {
        "a": Events(np.arange(10, 16), liked),
        "b": Events(np.arange(14), mixed),
        "c": Events(np.arange(5), liked[:5]),
    }
    by_two = ShopData(ITEMS, users, next_likes=2)
    found = {split: known_histories(by_two, split) for split in ("test", "validation")}
    assert {user: films.tolist() for user, films in found["test"].items()} == {
        "a": [10, 11, 12, 13],
        "b": [0, 2, 4, 6, 8],
        "c": [0, 1, 2, 3, 4],  # five likes are fewer than three times two
    }
    assert [films.tolist() for films in found["validation"].values()] == [[10, 11], [0, 2, 4], [0, 1, 2, 3, 4]]


@given(st.lists(st.sampled_from([DISLIKED, LIKED]), max_size=200))
def test_no_like_is_learnt_by_the_retriever_and_wanted_by_a_split_or_wanted_twice(done):
    data = ShopData(ITEMS, {"1": Events(np.arange(len(done)), np.array(done, dtype=bool))})
    taken = [*retriever_histories(data)[0].tolist()]
    for split in ("train", "validation", "test"):
        for cut in history_cuts(data, split):
            assert max([-1, *cut.seen.tolist()]) < cut.relevant.min()
            assert set(cut.liked.tolist()) <= set(cut.seen.tolist())
            taken += cut.relevant.tolist()
    assert len(taken) == len(set(taken))
