"""What visitors do with the films of a list becomes decisions to learn from, in the states that were ranked."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from apps.recommender.candidates import CANDIDATES
from apps.recommender.logs import feedback_decisions
from apps.recommender.model import Event, Visitor
from apps.recommender.rewards import Taste
from apps.recommender.splits import PICKS, history_cuts
from apps.recommender.task import Recommender
from core.rl.explore import Explorer
from core.training.feedback import DecisionWithFeedback, Feedback, LoggedDecision
from core.training.loader import open_task
from core.training.run import Run, trained_policy

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIKED = ["10", "50", "223", "608"]


@pytest.fixture(scope="module")
def run(runs) -> Run:
    return Run(runs / "recommender")


@pytest.fixture(scope="module")
def task(run) -> Recommender:
    return open_task(Recommender, run)


@pytest.fixture(scope="module")
def learnt(task):
    return lambda *judged: feedback_decisions(judged, task.builder, task.reward)


@pytest.fixture(scope="module")
def logged(model) -> LoggedDecision:
    """A list that was drawn at random, as serving logs it."""
    visitor = Visitor(events=tuple(Event("like", film) for film in LIKED))
    choice = asyncio.run(model.rank(visitor, Explorer(1.0, seed=0))).choice
    return LoggedDecision("0" * 32, choice.state, choice.action, choice.propensity, NOON)


def judged(decision: LoggedDecision, *opinions: tuple[str, float]) -> DecisionWithFeedback:
    return DecisionWithFeedback(decision, tuple(Feedback("ann", film, value, {}, NOON) for film, value in opinions))


def with_candidates(decision: LoggedDecision, candidates: list[str]) -> LoggedDecision:
    return replace(decision, state={**decision.state, "candidates": candidates})


def films(task, log) -> list[list[str]]:
    rows = np.take_along_axis(log.observations["candidates"], log.actions.numpy(), axis=1)
    return [ids(task, row) for row in rows]


def ids(task, rows) -> list[str]:
    return [task.data.items[row].id for row in rows]


def rows(task, films) -> np.ndarray:
    return np.array([task.data.rows[film] for film in films])


def log_probability(task, run, log) -> float:
    policy = trained_policy(task, run)
    return float(policy.log_prob(log.observations, log.actions).sum())


def test_lists_are_logged_by_the_ids_of_their_films(logged):
    assert all(isinstance(film, str) for film in (*logged.action, *logged.state["candidates"]))
    assert set(logged.action) < set(logged.state["candidates"])
    assert logged.state["history"] == LIKED


def test_the_log_holds_what_the_policy_saw_and_did(task, run, learnt, logged):
    log = learnt(judged(logged, (logged.action[0], 1.0)))
    assert films(task, log) == [logged.action]
    assert log_probability(task, run, log) == pytest.approx(np.log(logged.propensity), rel=1e-3)
    assert float(log.log_propensities.sum()) == pytest.approx(np.log(logged.propensity), rel=1e-5)


def test_likes_are_worth_more_the_higher_they_stand_and_hides_cost_as_much(learnt, logged):
    first, last = logged.action[0], logged.action[-1]
    elsewhere = logged.state["history"][0]  # says nothing of this list's films
    opinions = [(first, 1.0), (last, 1.0), (elsewhere, 1.0), (last, -1.0), (first, -1.0)]
    rewards = learnt(*(judged(logged, opinion) for opinion in opinions)).rewards
    assert torch.equal(rewards.argsort(descending=True), torch.arange(5))
    assert rewards[0] - rewards[2] == pytest.approx(1.0, abs=1e-5)
    assert rewards[2] - rewards[4] == pytest.approx(1.0, abs=1e-5)


def test_likes_in_feedback_are_worth_what_the_environment_pays_for_them(task, learnt):
    env, chance = task.environment("validation", 20), np.random.default_rng(0)
    states, _ = env.reset(seed=0)
    lists = np.argsort(-task.demonstrations("validation").targets[:20], axis=1, kind="stable")[:, :PICKS]
    lists = chance.permuted(lists, axis=1)  # what was liked stands anywhere
    _, paid, _, _, _ = env.step(lists)
    relevant = [cut.relevant for cut in history_cuts(task.data, "validation")[:20]]
    for row, right in enumerate(relevant):
        history, candidates = (ids(task, states[name][row]) for name in ("history", "candidates"))
        state = {"history": history, "candidates": candidates, "words": False}
        decision = LoggedDecision("0" * 32, state, [candidates[place] for place in lists[row]], 1.0, NOON)
        log = learnt(judged(decision, *((film, 1.0) for film in ids(task, right))))
        assert float(log.rewards[0]) == pytest.approx(paid[row], abs=1e-6)


def test_a_like_that_turned_into_a_hide_is_a_hide(learnt, logged):
    film = logged.action[0]
    changed = learnt(judged(logged, (film, 1.0), (film, -1.0)), judged(logged, (film, -1.0)))
    assert changed.rewards[0] == changed.rewards[1]


def test_a_log_with_fewer_candidates_teaches_exactly_what_it_taught(task, run, learnt, logged):
    chosen = set(logged.action)
    others = [film for film in logged.state["candidates"] if film not in chosen][: 100 - PICKS]
    few = with_candidates(logged, [*logged.action, *others])
    log, whole = (learnt(judged(each, (logged.action[3], 1.0))) for each in (few, logged))
    assert films(task, log) == films(task, whole)
    assert log.rewards.tolist() == pytest.approx(whole.rewards.tolist(), abs=1e-6)
    assert log.observations["candidates"].shape == (1, CANDIDATES)
    taste = [rows(task, LIKED)]
    queries = task.builder.retriever.queries(taste)
    among = task.builder.describe(taste, queries, rows(task, few.state["candidates"])[None])
    policy = trained_policy(task, run)
    places = torch.arange(PICKS)[None]
    alone = float(policy.log_prob(among, places).sum())
    assert log_probability(task, run, log) == pytest.approx(alone, abs=1e-4)


def test_a_log_with_more_candidates_keeps_the_films_that_were_shown(learnt, logged, task):
    known = set(logged.state["candidates"])
    more = [item.id for item in task.data.items if item.id not in known][:150]
    shown_last = [film for film in logged.state["candidates"] if film not in logged.action]
    many = with_candidates(logged, [*shown_last, *more, *logged.action])
    log, whole = (learnt(judged(each, (logged.action[3], 1.0))) for each in (many, logged))
    assert films(task, log) == films(task, whole)
    assert log.rewards.tolist() == pytest.approx(whole.rewards.tolist(), abs=1e-6)
    assert log.observations["candidates"].shape == (1, CANDIDATES)
    assert ids(task, log.observations["candidates"][0, : CANDIDATES - PICKS]) == shown_last


def test_logs_of_different_numbers_of_candidates_are_learnt_together(task, learnt, logged):
    few = with_candidates(
        logged, [*logged.action, *[f for f in logged.state["candidates"] if f not in logged.action]][:60]
    )
    log = learnt(judged(few, (logged.action[0], 1.0)), judged(logged, (logged.action[0], 1.0)))
    assert films(task, log)[0] == films(task, log)[1]


def test_lists_in_which_words_had_a_say_or_whose_films_are_gone_are_left_out(learnt, logged):
    like = (logged.action[0], 1.0)
    with_words = replace(logged, state={**logged.state, "words": True})
    gone = with_candidates(logged, [*logged.action, "1000000"])
    short = replace(logged, action=logged.action[:5])
    assert learnt(*(judged(each, like) for each in (with_words, gone, short)), judged(logged)) is None
    assert len(learnt(judged(with_words, like), judged(logged, like))) == 1


def test_what_is_liked_and_hidden_makes_the_reward(task, learnt, logged):
    shown = rows(task, logged.action)[None]
    taste = Taste([shown[0, [0, 4]]], [shown[0, [2]]])
    opinions = [(logged.action[0], 1.0), (logged.action[4], 1.0), (logged.action[2], -1.0)]
    worth = task.reward([rows(task, LIKED)], shown, taste).sum()
    assert float(learnt(judged(logged, *opinions)).rewards[0]) == pytest.approx(worth, abs=1e-6)
