"""What visitors do with the films of a list becomes decisions to learn from, in the states that were ranked."""

import asyncio

import numpy as np
import pytest
import torch
from apps.recommender.learning import feedback_decisions

from apps.recommender.rewards import ListReward, novelty
from apps.recommender.service import Event as Seen
from apps.recommender.service import Visitor
from apps.recommender.task import Recommender
from core.platform.store.decisions import DecisionWithFeedback
from core.platform.store.schema import Decision, Event
from core.rl.explore import Explorer
from core.training.loader import open_task
from core.training.run import Run, trained_policy


@pytest.fixture(scope="module")
def service(services):
    return services["recommender"]


@pytest.fixture(scope="module")
def learnt(service):
    maker = service.maker
    reward = ListReward(maker.distances, novelty(maker.popularity, len(service.data.users)), {})
    return lambda *judged: feedback_decisions(judged, maker, reward)


@pytest.fixture(scope="module")
def ranked(service):
    visitor = Visitor(events=tuple(Seen("like", film) for film in (10, 50, 200, 420)))
    return asyncio.run(service.rank(visitor, Explorer(1.0, seed=0)))


def judged(ranked, *events: tuple[str, int], **changes) -> DecisionWithFeedback:
    decision = Decision(state={**ranked.state, **changes}, action=ranked.action, propensity=ranked.propensity)
    return DecisionWithFeedback(decision, (), tuple(Event(kind=kind, item=str(film)) for kind, film in events))


def test_the_log_holds_what_the_policy_saw_and_did(runs, learnt, ranked):
    log = learnt(judged(ranked, ("like", ranked.films[0].film.row)))
    run = Run(runs / "recommender")
    policy = trained_policy(open_task(Recommender, run), run)
    again = policy.distribution(policy.logits(log.observations)).log_prob(log.actions).sum()
    assert float(again) == pytest.approx(np.log(ranked.propensity), rel=1e-3)
    assert float(log.log_propensities.sum()) == pytest.approx(np.log(ranked.propensity), rel=1e-5)
    assert log.actions.tolist() == [ranked.action]


def test_likes_are_worth_more_the_higher_they_stand_and_hides_cost_as_much(learnt, ranked):
    first, last = ranked.films[0].film.row, ranked.films[-1].film.row
    nothing = ("like", 1_000_000)  # liked elsewhere: says nothing of this list's films
    rows = [[("like", first)], [("like", last)], [nothing], [("hide", last)], [("hide", first)]]
    rewards = learnt(*(judged(ranked, *events) for events in rows)).rewards
    assert torch.equal(rewards.argsort(descending=True), torch.arange(5))
    assert rewards[0] - rewards[2] == pytest.approx(1.0, abs=1e-5)
    assert rewards[2] - rewards[4] == pytest.approx(1.0, abs=1e-5)


def test_a_like_that_turned_into_a_hide_is_a_hide(learnt, ranked):
    film = ranked.films[0].film.row
    changed = learnt(judged(ranked, ("like", film), ("hide", film)), judged(ranked, ("hide", film)))
    assert changed.rewards[0] == changed.rewards[1]


def test_lists_in_which_words_had_a_say_or_whose_films_are_gone_are_left_out(learnt, ranked):
    like = ("like", ranked.films[0].film.row)
    gone = [*ranked.state["candidates"][:-1], 1_000_000]
    assert learnt(judged(ranked, like, words=True), judged(ranked, like, candidates=gone), judged(ranked)) is None
    assert len(learnt(judged(ranked, like, words=True), judged(ranked, like))) == 1
