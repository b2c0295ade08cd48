"""EASE against the formula of its paper, whichever of its two inverses is computed."""

import numpy as np
import pytest

from apps.recommender import ease
from apps.recommender.ease import Ease

ITEMS, HALF_LIFE, REGULARISATION = 30, 5.0, 3.0


def histories(users: int) -> list[np.ndarray]:
    chance = np.random.default_rng(0)
    return [chance.choice(ITEMS, 8, replace=False) for _ in range(users)]


def by_the_paper(likes: list[np.ndarray], history: np.ndarray) -> np.ndarray:
    """Steck (2019), equation 8, over a history whose older likes count less."""
    table = np.zeros((len(likes), ITEMS))
    for row, items in zip(table, likes, strict=True):
        row[items] = 1.0
    precision = np.linalg.inv(table.T @ table + REGULARISATION * np.eye(ITEMS))
    weights = -precision / np.diag(precision)
    np.fill_diagonal(weights, 0.0)
    liked = np.zeros(ITEMS)
    liked[history] = 0.5 ** (np.arange(len(history))[::-1] / HALF_LIFE)
    return liked @ weights


@pytest.mark.parametrize("users", [20, 40])
def test_scores_are_those_of_the_paper_with_fewer_users_than_items_and_with_more(users):
    likes = histories(users)
    (scores,) = Ease(likes, ITEMS, REGULARISATION).scores([likes[3]], HALF_LIFE)
    np.testing.assert_allclose(scores, by_the_paper(likes, likes[3]), atol=1e-5)


def test_who_likes_nothing_has_no_scores():
    assert not Ease(histories(20), ITEMS, REGULARISATION).scores([np.zeros(0, dtype=np.int64)], HALF_LIFE).any()


def test_a_large_shop_has_scores_for_what_is_liked_most(monkeypatch):
    likes = [*histories(40), *([np.arange(10)] * 10)]
    monkeypatch.setattr(ease, "LARGEST", 10)
    (scores,) = Ease(likes, ITEMS, REGULARISATION).scores([np.array([0, 1])], HALF_LIFE)
    assert np.flatnonzero(scores).tolist() == list(range(10))
