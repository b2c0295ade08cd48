import numpy as np
import pytest

from apps.recommender.diversity import diverse_lists, marginal_distances
from apps.recommender.rewards import ListReward, ndcg_gains, novelty, weights
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


def test_the_diversity_of_a_list_is_its_mean_marginal_distance(maker):
    lists = np.array([[0, 1, 2, 3]])
    distances = maker.distances.within(lists)
    assert np.allclose(distances, distances.transpose(0, 2, 1), atol=1e-6)
    assert (distances >= 0).all()
    assert (distances <= 1).all()
    assert np.abs(np.diagonal(distances[0])).max() < 1e-5
    marginal = marginal_distances(distances)[0]
    assert marginal[0] == 0
    assert marginal[2] == pytest.approx(distances[0, 2, :2].mean())


def test_films_of_one_series_are_nearer_than_films_of_different_kinds(maker):
    row = {item.title: at for at, item in enumerate(maker.data.items)}
    series = maker.distances.within(np.array([[row["Toy Story"], row["Toy Story 2"]]]))[0, 0, 1]
    strangers = maker.distances.within(np.array([[row["Toy Story"], row["The Silence of the Lambs"]]]))[0, 0, 1]
    assert series < 0.4 < 0.8 < strangers


def test_variety_is_bought_only_at_its_price():
    relevance = np.array([[3.0, 2.9, 2.0]], dtype=np.float32)
    distances = np.array([[[0, 0.1, 0.9], [0.1, 0, 0.9], [0.9, 0.9, 0]]], dtype=np.float32)
    assert diverse_lists(relevance, distances, 0.0, 3).tolist() == [[0, 1, 2]]
    assert diverse_lists(relevance, distances, 1.0, 2).tolist() == [[0, 1]]
    assert diverse_lists(relevance, distances, 2.0, 2).tolist() == [[0, 2]]


def test_the_reward_is_the_weighted_sum_of_its_parts(maker):
    reward = ListReward(maker.distances, novelty(maker.popularity, 671), {"diversity": 0.5, "novelty": 0.0})
    lists, relevant = np.arange(20).reshape(2, 10), [np.arange(5), np.arange(15, 20)]
    parts = reward.parts(lists, relevant)
    np.testing.assert_allclose(reward(lists, relevant), parts["relevance"] + 0.5 * parts["diversity"], rtol=1e-5)


def test_a_film_that_everybody_likes_is_not_novel():
    assert novelty(np.array([0, 1, 671]), 671).tolist() == [1.0, 1.0, 0.0]


def test_an_unknown_reward_is_named():
    with pytest.raises(SteerError, match="surprise"):
        weights({"surprise": 1.0})
