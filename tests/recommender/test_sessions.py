"""Visits of several lists: simulated visitors, the rules before them, and the next list of a real visit."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from apps.recommender.data import Events, ShopData
from apps.recommender.model import Visitor
from apps.recommender.sessions.environment import SessionEnv
from apps.recommender.sessions.learn import Training
from apps.recommender.sessions.people import group_of, likes_of
from apps.recommender.sessions.policy import visit_policy
from apps.recommender.sessions.rule import VisitRule, distances
from apps.recommender.sessions.shop import SessionShop, session_shop
from apps.recommender.sessions.visitors import Manners, Moods, visitors_of
from core.envs.play import play
from core.rl.explore import Explorer

RULE = VisitRule(0.5, {"popularity": 2.0, "near_shown_now": -0.3})
PATIENT = Manners(patience=(-50.0, -50.0))


@pytest.fixture(scope="module")
def visited(small, task) -> SessionShop:
    return session_shop(small, task.distances, task.rule)


@pytest.fixture(scope="module")
def visitors(small, visited):
    return visitors_of(small, visited, "validation", 60, Manners(), seed=0)


def first_ten(states) -> np.ndarray:
    return np.tile(np.arange(10), (len(states["candidates"]), 1))


def test_nobody_stands_behind_visitors_and_the_policys_data_at_once(small):
    likes = {group: sum(map(len, likes_of(small, group))) for group in ("policy", "train", "validation", "test")}
    assert all(likes.values())
    assert sum(likes.values()) == sum(len(events.likes) for events in small.users.values())


def test_what_the_policy_knows_does_not_depend_on_the_people_behind_visitors(small, task, visited):
    nothing = Events(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool))
    policys = {user: each if group_of(user, each) == "policy" else nothing for user, each in small.users.items()}
    alone = session_shop(ShopData(small.items, policys), task.distances, task.rule)
    np.testing.assert_allclose(alone.weights, visited.weights, atol=1e-5)


def test_ten_of_a_kind_tire_of_that_kind_alone_and_the_tiredness_passes(visitors):
    kinds = np.eye(2, dtype=np.float32)[[0] * 11 + [1] * 11]
    moods = Moods(replace(visitors, kinds=kinds, tastes=np.zeros((len(visitors.tastes), 22), np.float32)), 1)
    moods.begin(np.array([0]), np.array([0]))
    same, other = np.array([[10]]), np.array([[21]])
    fresh = moods.chances(same)[0]
    moods.answer(np.arange(10)[None], np.zeros((1, 10, 2)))
    tired = moods.chances(same)[0]
    assert tired < fresh == moods.chances(other)[0]
    moods.answer(np.arange(11, 21)[None], np.zeros((1, 10, 2)))
    assert tired < moods.chances(same)[0] < fresh


def test_a_visit_shows_nothing_twice_and_ends_after_six_lists(small, visited):
    env = SessionEnv(visited, visitors_of(small, visited, "train", 8, PATIENT, seed=0))
    states, _ = env.reset(seed=0)
    shown = []
    for number in range(1, 7):
        shown.append(states["candidates"][:, :10])
        states, _, over, _, _ = env.step(first_ten(states))
        assert over.all() == (number == 6)
    lists = np.concatenate(shown, axis=1)
    assert all(len(set(row)) == 60 for row in lists)


def test_different_lists_meet_the_same_visitor_and_equal_lists_the_same_answers(visited, visitors):
    env = SessionEnv(visited, visitors)
    once, again = play(env, first_ten).returns, play(env, first_ten).returns
    np.testing.assert_array_equal(once, again)
    assert (play(env, lambda states: first_ten(states) + 30).returns != once).any()


def test_lists_pay_on_average_what_their_answers_are_worth(small, visited):
    visitors = visitors_of(small, visited, "train", 1500, Manners(), seed=0)
    drawn, average = (
        play(SessionEnv(visited, visitors, on_average=on_average), first_ten).returns for on_average in (False, True)
    )
    assert average.std() < drawn.std()
    assert abs((drawn - average).mean()) < 3 * (drawn - average).std() / np.sqrt(len(drawn))


def test_a_policy_that_has_learnt_nothing_makes_the_rules_lists(visited, visitors):
    states, _ = SessionEnv(visited, visitors).reset(seed=0)
    policy = visit_policy(RULE, lambda some: distances(visited, some))
    np.testing.assert_array_equal(policy.predict(states), RULE.on(visited)(states))


def test_imitating_what_visitors_would_like_beats_plain_ease(small, visited, monkeypatch):
    visits = {"train": 200, "validation": 200}
    monkeypatch.setattr("apps.recommender.sessions.learn.VISITS", visits)
    monkeypatch.setattr("apps.recommender.sessions.learn._SIDE_BY_SIDE", 100)
    monkeypatch.setattr("apps.recommender.sessions.learn.TRADE_OFFS", (0.0, 0.5))
    monkeypatch.setattr("apps.recommender.sessions.learn.tuned", lambda env: {"EASE": VisitRule()})
    training = Training(small, visited)
    policy = training.imitated(seed=0, iterations=6)
    assert training.earned(policy) > 1.02 * training.earned_by(VisitRule().on(visited))


def films(model, visitor: Visitor) -> tuple[str, ...]:
    return tuple(each.item.id for each in asyncio.run(model.rank(visitor, Explorer())).items)


@pytest.mark.parametrize("visitor", [Visitor(user="15"), Visitor(words="space"), Visitor(), Visitor("15", "space")])
def test_the_next_list_of_a_visit_holds_nothing_of_the_lists_before(model, visitor):
    shown: tuple[tuple[str, ...], ...] = ()
    for _ in range(7):
        shown = (*shown, films(model, replace(visitor, shown=shown)))
    assert len({film for each in shown for film in each}) == 70
