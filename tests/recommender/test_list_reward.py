"""What a list is worth, on four films whose distances can be worked out on paper."""

from math import log, log2

import numpy as np
import pytest

from apps.recommender.data import Item, ShopData
from apps.recommender.diversity import Distances
from apps.recommender.rewards import Options, Taste, list_reward, ndcg_gains, option_reward, scarcity
from core.util.errors import SteerError

# Films 0 and 1 are of one genre and one text, 2 and 3 have nothing in common with them or each other.
FILMS = ShopData(tuple(Item(at, str(at), f"film {at}", tags=(tag,)) for at, tag in enumerate("aabc")), {})
TEXTS = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
NOVELTY = np.array([0.0, 0.25, 0.5, 1.0], np.float32)
NOTHING = np.zeros(0, dtype=np.int64)


WEIGHTLESS = {"relevance": 0.0, "diversity": 0.0, "novelty": 0.0, "unexpectedness": 0.0}


def reward(**weights: float):
    return list_reward(Distances(FILMS, TEXTS), NOVELTY, {**WEIGHTLESS, **weights})


def worth(reward, picks: list[int], *, history=(), liked=(), hidden=()) -> list[float]:
    arrays = (np.array(films, dtype=np.int64) for films in (history, liked, hidden))
    history, liked, hidden = arrays
    return reward([history], np.array([picks]), Taste([liked], [hidden]))[0].tolist()


def of_options(films: list[int], picks: list[int], *, history=(), liked=(), hidden=(), **weights: float):
    """A row for each position of the list and a column for each film that might stand there."""
    history, liked, hidden = (np.array(films, dtype=np.int64) for films in (history, liked, hidden))
    options = Options(np.array([films]), np.array([[films.index(film) for film in picks]]))
    earned = option_reward(Distances(FILMS, TEXTS), NOVELTY, {**WEIGHTLESS, **weights})
    return earned([history], options, Taste([liked], [hidden]))[0]


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


def test_an_option_that_is_liked_earns_its_gain_at_each_position():
    ideal = 1 + 1 / log2(3)
    first, second = of_options([0, 3, 1, 2], [1, 2], relevance=2.0, liked=[2, 3], hidden=[1])
    assert first.tolist() == pytest.approx([0.0, 2 / ideal, -2.0, 2 / ideal])
    assert second.tolist() == pytest.approx([0.0, 2 / log2(3) / ideal, -2 / log2(3), 2 / log2(3) / ideal])


def test_an_option_is_as_varied_as_it_is_far_from_the_picks_before():
    first, second, third = of_options([3, 0, 2, 1], [0, 2, 3], diversity=0.8)
    assert first.tolist() == [0.0, 0.0, 0.0, 0.0]
    assert second.tolist() == pytest.approx([0.4, 0.0, 0.4, 0.0])  # distance to film 0
    assert third.tolist() == pytest.approx([0.4, 0.2, 0.2, 0.2])  # mean distance to films 0 and 2


def test_an_option_is_as_novel_and_as_unexpected_at_every_position():
    assert of_options([2, 0, 3, 1], [0, 3], novelty=0.5).tolist() == [[0.125, 0.0, 0.25, 0.0625]] * 2
    unexpected = of_options([0, 1, 2, 3], [0, 3], history=[1, 2], unexpectedness=2.0)
    assert unexpected.tolist() == [[0.5, 0.5, 0.5, 1.0]] * 2
    assert of_options([0, 1, 2, 3], [0, 3], unexpectedness=2.0).tolist() == [[0.0] * 4] * 2


def test_what_options_earn_adds_up_and_belongs_to_their_own_list():
    reward = option_reward(Distances(FILMS, TEXTS), NOVELTY, {"relevance": 1.0, "diversity": 0.5, "novelty": 0.25})
    options = Options(np.array([[0, 1, 2], [3, 2, 1]]), np.array([[1, 2], [2, 0]]))
    earned = reward([NOTHING, NOTHING], options, Taste.of_likes([np.array([2]), np.array([3])]))
    novelty = np.array([[0.0, 0.03125, 0.0625], [0.125, 0.0625, 0.03125]])
    relevance = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    assert earned[:, 0] == pytest.approx(novelty + relevance)
    diversity = np.array([[0.0, 0.0, 0.5], [0.5, 0.5, 0.0]])  # distance to film 1
    assert earned[:, 1] == pytest.approx(novelty + relevance / log2(3) + diversity)
    assert earned.dtype == np.float32


@pytest.mark.parametrize(
    "weights",
    [
        {},
        {"unexpectedness": 0.3},
        {"diversity": 0.0, "novelty": 1.0},
        {"relevance": 0.0, "diversity": 0.0, "novelty": 0.0, "unexpectedness": 1.0},
        WEIGHTLESS,
    ],
)
def test_a_list_is_worth_what_its_picks_earn_as_options(weights):
    known, random = (Distances(FILMS, TEXTS), NOVELTY, weights), np.random.default_rng(0)
    films, columns = (random.permuted(np.tile(np.arange(4), (40, 1)), axis=1) for _ in range(2))
    options = Options(films, columns[:, :3])
    histories, liked, hidden = ([random.permutation(4)[: random.integers(4)] for _ in films] for _ in range(3))
    earned = option_reward(*known)(histories, options, Taste(liked, hidden))
    paid = list_reward(*known)(histories, np.take_along_axis(films, options.columns, axis=1), Taste(liked, hidden))
    assert np.take_along_axis(earned, options.columns[:, :, None], axis=2)[:, :, 0] == pytest.approx(paid, abs=1e-6)


def test_of_a_taste_of_likes_nothing_is_hidden():
    taste = Taste.of_likes([np.array([1, 2]), np.array([3])])
    assert [films.tolist() for films in taste.liked] == [[1, 2], [3]]
    assert [films.tolist() for films in taste.hidden] == [[], []]
    assert all(films.dtype == np.int64 for films in taste.hidden)


def test_a_film_is_the_scarcer_the_fewer_like_it():
    found = scarcity(np.array([0, 1, 10, 100]), 100)
    assert found.tolist() == pytest.approx([1.0, 1.0, log(10) / log(100), 0.0])
