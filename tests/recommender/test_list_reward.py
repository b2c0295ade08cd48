"""What a list is worth, on four films whose distances can be worked out on paper."""

from math import log, log2

import numpy as np
import pytest

from apps.recommender.data import Item, ShopData
from apps.recommender.diversity import Distances
from apps.recommender.rewards import Taste, list_reward, ndcg_gains, scarcity
from core.util.errors import SteerError

# Films 0 and 1 are of one genre and one text, 2 and 3 have nothing in common with them or each other.
FILMS = ShopData(tuple(Item(at, str(at), f"film {at}", tags=(tag,)) for at, tag in enumerate("aabc")), {})
TEXTS = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
NOVELTY = np.array([0.0, 0.25, 0.5, 1.0], np.float32)
NOTHING = np.zeros(0, dtype=np.int64)


def reward(**weights: float):
    nothing = {"relevance": 0.0, "diversity": 0.0, "novelty": 0.0, "unexpectedness": 0.0}
    return list_reward(Distances(FILMS, TEXTS), NOVELTY, {**nothing, **weights})


def worth(reward, picks: list[int], *, history=(), liked=(), hidden=()) -> list[float]:
    arrays = (np.array(films, dtype=np.int64) for films in (history, liked, hidden))
    history, liked, hidden = arrays
    return reward([history], np.array([picks]), Taste([liked], [hidden]))[0].tolist()


def test_gains_are_discounted_by_position_and_divided_by_those_of_the_best_list():
    gains = ndcg_gains(np.array([[5, 6, 7], [7, 6, 5]]), [np.array([5, 7]), np.array([5])])
    ideal = 1 + 1 / log2(3)
    assert gains[0].tolist() == pytest.approx([1 / ideal, 0.0, 0.5 / ideal])
    assert gains[1].tolist() == pytest.approx([0.0, 0.0, 0.5])
    assert gains.dtype == np.float32
    assert ndcg_gains(np.array([[5, 6]]), [NOTHING]).tolist() == [[0.0, 0.0]]


def test_a_film_that_was_not_wanted_costs_what_it_would_have_earned():
    relevance = reward(relevance=2.0)
    assert worth(relevance, [0, 1], liked=[0]) == [2.0, 0.0]
    assert worth(relevance, [0, 1], hidden=[0]) == [-2.0, 0.0]
    assert worth(relevance, [0, 1], liked=[0], hidden=[1]) == pytest.approx([2.0, -2.0 / log2(3)])


def test_variety_is_the_mean_distance_to_the_picks_before():
    assert worth(reward(diversity=1.0), [0, 1, 2]) == pytest.approx([0.0, 0.0, 0.5])
    assert worth(reward(diversity=1.0), [0, 2, 3]) == pytest.approx([0.0, 0.5, 0.5])
    assert worth(reward(diversity=1.0), [2, 0, 1]) == pytest.approx([0.0, 0.5, 0.25])


def test_novelty_is_shared_among_the_picks():
    assert worth(reward(novelty=1.0), [3, 1]) == [0.5, 0.125]


def test_what_is_far_from_the_last_ten_likes_is_unexpected():
    unexpected = reward(unexpectedness=1.0)
    assert worth(unexpected, [0, 2], history=[1]) == [0.0, 0.5]
    assert worth(unexpected, [0, 3], history=[1, 2]) == [0.25, 0.5]
    assert worth(unexpected, [0, 3], history=[]) == [0.0, 0.0]
    assert worth(unexpected, [0, 3], history=[2, *[1] * 9, 2]) == pytest.approx([0.05, 0.5])


def test_the_terms_add_up_by_their_weights():
    both = reward(diversity=0.4, novelty=0.5)
    assert worth(both, [2, 3]) == pytest.approx([0.125, 0.4 + 0.25])


def test_every_term_is_float32():
    parts = reward().parts([NOTHING], np.array([[0, 1]]), Taste.of_likes([np.array([1])]))
    assert {name: part.dtype for name, part in parts.items()} == dict.fromkeys(parts, np.dtype(np.float32))
    assert scarcity(np.array([3]), 10).dtype == np.float32


def test_the_shipped_weights_are_known():
    shipped = list_reward(Distances(FILMS, TEXTS), NOVELTY, {})
    assert shipped.weights == {"relevance": 1.0, "diversity": 0.2, "novelty": 0.05, "unexpectedness": 0.0}
    with pytest.raises(SteerError, match="surprise"):
        list_reward(Distances(FILMS, TEXTS), NOVELTY, {"surprise": 1.0})


def test_of_a_taste_of_likes_nothing_is_hidden():
    taste = Taste.of_likes([np.array([1, 2]), np.array([3])])
    assert [films.tolist() for films in taste.liked] == [[1, 2], [3]]
    assert [films.tolist() for films in taste.hidden] == [[], []]
    assert all(films.dtype == np.int64 for films in taste.hidden)


def test_a_film_is_the_scarcer_the_fewer_like_it():
    found = scarcity(np.array([0, 1, 10, 100]), 100)
    assert found.tolist() == pytest.approx([1.0, 1.0, log(10) / log(100), 0.0])
