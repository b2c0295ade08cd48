import numpy as np
import pytest

from apps.recommender.diversity import diverse_lists, marginal_distances
from apps.recommender.environment import PICKS, recommender_env
from apps.recommender.rewards import Taste, list_reward, ndcg_gains, scarcity
from apps.recommender.splits import history_cuts
from core.util.errors import SteerError


def test_a_perfect_list_has_an_ndcg_of_one_and_an_early_hit_counts_more():
    relevant = [np.array([3, 4, 5, 6, 7])]
    perfect = np.array([[3, 4, 5, 6, 7, 0, 1, 2, 8, 9]])
    assert ndcg_gains(perfect, relevant).sum() == pytest.approx(1.0)
    first = ndcg_gains(np.array([[3, 0, 1]]), relevant).sum()
    last = ndcg_gains(np.array([[0, 1, 3]]), relevant).sum()
    assert first == pytest.approx(2 * last)
    assert last > 0
    assert ndcg_gains(np.array([[0, 1, 2]]), relevant).sum() == 0


def test_the_diversity_of_a_list_is_its_mean_marginal_distance(builder):
    lists = np.array([[0, 1, 2, 3]])
    distances = builder.distances.within(lists)
    assert np.allclose(distances, distances.transpose(0, 2, 1), atol=1e-6)
    assert (distances >= 0).all()
    assert (distances <= 1).all()
    assert np.abs(np.diagonal(distances[0])).max() < 1e-5
    marginal = marginal_distances(distances)[0].diagonal()
    assert marginal[0] == 0
    assert marginal[2] == pytest.approx(distances[0, 2, :2].mean())


def test_films_of_one_series_are_nearer_than_films_of_different_kinds(builder):
    row = {item.title: at for at, item in enumerate(builder.data.items)}
    series = builder.distances.within(np.array([[row["Toy Story"], row["Toy Story 2"]]]))[0, 0, 1]
    strangers = builder.distances.within(np.array([[row["Toy Story"], row["The Silence of the Lambs"]]]))[0, 0, 1]
    assert series < 0.4 < 0.8 < strangers


def test_variety_is_bought_only_at_its_price():
    relevance = np.array([[3.0, 2.9, 2.0]], dtype=np.float32)
    distances = np.array([[[0, 0.1, 0.9], [0.1, 0, 0.9], [0.9, 0.9, 0]]], dtype=np.float32)
    assert diverse_lists(relevance, distances, 0.0, 3).tolist() == [[0, 1, 2]]
    assert diverse_lists(relevance, distances, 1.0, 2).tolist() == [[0, 1]]
    assert diverse_lists(relevance, distances, 2.0, 2).tolist() == [[0, 2]]


@pytest.fixture(scope="module")
def reward(builder):
    """A reward with given weights; the others are as they ship."""
    novelty = scarcity(builder.popularity, 671)
    return lambda **weights: list_reward(builder.distances, novelty, weights)


LISTS = np.arange(20).reshape(2, 10)
HISTORIES = [np.arange(100, 140), np.arange(200, 203)]
TASTE = Taste.of_likes([np.arange(5), np.arange(15, 20)])


def test_the_reward_is_the_weighted_sum_of_its_parts(reward):
    weighted = reward(diversity=0.5, novelty=0.0, unexpectedness=-0.25)
    parts = weighted.parts(HISTORIES, LISTS, TASTE)
    expected = parts["relevance"] + 0.5 * parts["diversity"] - 0.25 * parts["unexpectedness"]
    np.testing.assert_allclose(weighted(HISTORIES, LISTS, TASTE), expected, rtol=1e-5)


def test_what_is_unexpected_counts_only_when_it_is_asked_for(reward, builder):
    assert np.array_equal(reward()(HISTORIES, LISTS, TASTE), reward()([np.arange(0)] * 2, LISTS, TASTE))
    parts = reward().parts([HISTORIES[1], np.arange(0)], LISTS, TASTE)
    first = builder.distances.within(np.array([[0, 200, 201, 202]]))[0, 0, 1:].mean()
    assert parts["unexpectedness"][0, 0] == pytest.approx(first / 10, rel=1e-4)
    assert not parts["unexpectedness"][1].any()


def test_only_the_newest_ten_likes_say_what_is_expected(reward):
    of = reward(unexpectedness=1.0)
    long, newest = [HISTORIES[0]] * 2, [HISTORIES[0][-10:]] * 2
    assert np.array_equal(of(long, LISTS, TASTE), of(newest, LISTS, TASTE))
    assert not np.array_equal(of(long, LISTS, TASTE), of([HISTORIES[0][-9:]] * 2, LISTS, TASTE))


def test_a_hidden_film_costs_what_a_liked_one_earns(reward):
    nothing = [np.arange(0)] * 2
    liked, hidden, neither = (
        reward()(HISTORIES, LISTS, taste) for taste in (TASTE, Taste(nothing, TASTE.liked), Taste(nothing, nothing))
    )
    np.testing.assert_allclose(liked - neither, neither - hidden, atol=1e-7)
    assert (liked - neither)[0, :5].min() > 0
    assert not (liked - neither)[0, 5:].any()


def test_the_environment_pays_the_reward_of_the_list_whatever_the_state(task, reward):
    cuts, chance, whole = history_cuts(task.data, "validation"), np.random.default_rng(0), reward(unexpectedness=0.3)
    states = task.environment("validation").states
    env = recommender_env(cuts, states, len(task.data.items), whole, len(cuts), shuffle=False)
    for _ in range(3):
        env.reset(seed=0)
        lists = chance.permuted(np.tile(np.arange(env.options), (len(cuts), 1)), axis=1)[:, :PICKS]
        _, paid, _, _, infos = env.step(lists)
        shown = np.take_along_axis(states["candidates"], lists, axis=1)
        worth = whole([cut.liked for cut in cuts], shown, Taste.of_likes([cut.relevant for cut in cuts]))
        np.testing.assert_array_equal(infos["pick_rewards"], worth)
        np.testing.assert_allclose(paid, worth.sum(axis=1), rtol=1e-6)


def test_a_film_that_everybody_likes_is_not_novel():
    assert scarcity(np.array([0, 1, 671]), 671).tolist() == [1.0, 1.0, 0.0]


def test_an_unknown_reward_is_named(reward):
    with pytest.raises(SteerError, match="surprise"):
        reward(surprise=1.0)
