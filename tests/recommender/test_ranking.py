"""Measures of the field against what one computes by hand, and rules that rank the whole catalogue."""

import numpy as np
import pytest

from apps.recommender.diversity import Distances
from apps.recommender.ranking import highest, ranking_measures
from apps.recommender.splits import PICKS, history_cuts


def test_measures_are_those_that_one_computes_by_hand(small, builder):
    lists = np.array([[0, 1, 2], [0, 1, 3]])
    relevant = [np.array([1, 7]), np.array([8])]  # found second of two, and not at all
    distances = Distances(small, builder.retriever.texts)
    apart = distances.within(lists)
    found = ranking_measures(lists, relevant, distances, items=8)
    ideal = 1 + 1 / np.log2(3)
    assert found == pytest.approx(
        {
            "HR@3": 1 / 2,
            "recall@3": (1 / 2 + 0) / 2,
            "NDCG@3": (1 / np.log2(3)) / ideal / 2,
            "coverage": 4 / 8,
            "ILD": np.mean([each[0, 1] + each[0, 2] + each[1, 2] for each in apart]) / 3,
        },
        abs=1e-6,
    )


def test_the_highest_scores_come_first_and_equal_ones_in_their_order():
    scores = np.array([[0.5, 2.0, 0.5, 3.0, 0.5]])
    assert highest(scores, 4).tolist() == [[3, 1, 0, 2]]
    assert highest(scores, 9).tolist() == [[3, 1, 0, 2, 4]]


def test_rules_rank_all_films_that_a_user_has_not_seen(task, small):
    """A rule that only reordered what EASE found would look better, or worse, than it is."""
    users = history_cuts(small, "test")
    states, builder = task.environment("test").states, task.builder
    histories = [user.liked for user in users]
    whole = {
        "popularity": np.tile(builder.log_popularity, (len(users), 1)),
        "item_to_item": builder.co_occurrence(histories),
        "retriever": builder.retriever.queries(histories) @ builder.retriever.vectors.T,
        "ease": builder.scores(histories),
    }
    for name, scores in whole.items():
        columns = task.rules()[name](states)
        shown = np.take_along_axis(np.asarray(states["candidates"]), columns, axis=1)
        for row, items, user in zip(scores, shown, users, strict=True):
            row[user.seen] = -np.inf
            np.testing.assert_allclose(row[items], np.sort(row)[::-1][:PICKS], atol=1e-5, err_msg=name)


def test_a_rule_is_measured_by_what_users_liked_next(task):
    ease, popularity = (task.measures("validation", task.rules()[name]) for name in ("ease", "popularity"))
    assert ease["NDCG@10"] > popularity["NDCG@10"]
    assert ease["coverage"] > popularity["coverage"]
    varied = task.measures("validation", task.rules()["ease_mmr"])
    assert varied["ILD"] > ease["ILD"]
