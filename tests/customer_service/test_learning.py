"""What people say about replies becomes decisions to learn from, in the states in which the bot had replied."""

import asyncio
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from apps.customer_service import knowledge
from apps.customer_service.environment import ASK_BACK, CANDIDATES, DECLINE, HAND_OVER, StateBuilder, customers
from apps.customer_service.rewards import is_right
from core.rl.explore import Explorer
from core.training.feedback import DecisionWithFeedback, Feedback, LoggedDecision
from core.training.run import Run, trained_policy

MESSAGES = [
    "my parcel has not arrived",
    "I want to speak to a person",
    "which colour do you like?",
    "reset my password",
]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def model(services):
    return services["customer_service"]


@pytest.fixture
def state(model):
    """What the bot logs of a state."""
    return asyncio.run(model.reply([], MESSAGES[0])).choice.state


def judged(state, action, value, propensity=1.0) -> DecisionWithFeedback:
    decision = LoggedDecision("d", state, [action], propensity, NOW)
    return DecisionWithFeedback(decision, (Feedback("ann", "", value, {}, NOW),))


def numbers(log) -> list[int]:
    return log.actions[:, 0].tolist()


def test_the_log_holds_what_the_policy_saw_and_did(model, runs):
    explorer = Explorer(1.0, seed=0)
    choices = [asyncio.run(model.reply([], message, explorer)).choice for message in MESSAGES]
    log = model.task.feedback_decisions([judged(c.state, c.action, 1.0, c.propensity) for c in choices])
    names = [[*choice.state["candidates"], "ask_back", "hand_over", "decline"] for choice in choices]
    assert [each[number] for each, number in zip(names, numbers(log), strict=True)] == [c.action for c in choices]
    served = torch.tensor([choice.propensity for choice in choices])
    policy = trained_policy(model.task, Run(runs / "customer_service")).for_serving()
    again = policy.log_prob(log.observations, log.actions)[:, 0].exp()
    assert torch.allclose(again, served.float(), atol=2e-3)
    assert torch.allclose(log.log_propensities[:, 0].exp(), served.float())


def test_an_option_with_the_right_label_is_what_helps_the_customer_and_no_other_is(model):
    task, plain = model.task, [each for each in customers(model.task.data, "validation") if len(each.intents) == 1]
    states, right = task.labelled_states("validation")
    said = task.option_labels(states).by_question["intent"]
    assert len(plain) == len(said) == len(right["intent"])
    for customer, candidates, labels, label in zip(plain, states["candidates"], said, right["intent"], strict=True):
        helps = [is_right(0, action, customer) for action in task.maker.actions(candidates)]
        if customer.vague and not any(helps):
            helps[ASK_BACK] = True
        assert (labels == label).tolist() == helps


def test_opinions_are_paid_on_the_scale_of_the_rewards(model, state):
    actions = [state["candidates"][0], "hand_over", "decline", "ask_back"]
    rows = [judged(state, action, value) for value in (1.0, -1.0, 0.0) for action in actions]
    log = model.task.feedback_decisions(rows)
    assert numbers(log) == [0, HAND_OVER, DECLINE, ASK_BACK] * 3
    expected = [[1.0, 1.0, 1.0, 0.8], [-1.5, -0.2, -1.0, -0.4], [-0.25, 0.4, 0.0, 0.2]]
    np.testing.assert_allclose(log.rewards.numpy().reshape(3, 4), expected, atol=1e-6)


def test_an_article_keeps_its_decision_wherever_it_stands_today_and_a_lost_one_loses_it(model, state):
    article = state["candidates"][CANDIDATES - 3]
    moved = {**state, "candidates": state["candidates"][::-1]}
    rows = [judged(moved, article, 1.0), judged(state, "no such article", 1.0), judged(state, "hand_over", 1.0)]
    assert numbers(model.task.feedback_decisions(rows)) == [CANDIDATES - 3, HAND_OVER]
    assert model.task.feedback_decisions([judged(state, "no such article", 1.0)]) is None
    assert model.task.feedback_decisions([]) is None


@pytest.mark.parametrize("candidates", [10, 30])
def test_another_number_of_candidates_leaves_what_a_log_teaches_as_it_was(model, state, monkeypatch, candidates):
    articles = [state["candidates"][at] for at in (0, 7)]
    names = [*articles, state["candidates"][15], "ask_back", "hand_over", "decline"]
    as_logged_once = [0, 7, 15, CANDIDATES, CANDIDATES + 1, CANDIDATES + 2]  # by number, among the candidates of then
    rows = [judged(state, action, 1.0) for action in [*names, *as_logged_once]]
    paid = model.task.feedback_decisions(rows).rewards
    monkeypatch.setattr(knowledge, "CANDIDATES", candidates)
    monkeypatch.setattr(model.task, "maker", StateBuilder(model.task.maker.knowledge))
    log = model.task.feedback_decisions(rows)
    known = [0, 7, 15] if candidates > 15 else [0, 7]  # an article that is no candidate any more teaches nothing
    expected = [*known, candidates, candidates + 1, candidates + 2]
    assert numbers(log) == expected * 2
    kept = [at for at in range(len(rows)) if len(known) == 3 or at % 6 != 2]
    assert torch.equal(log.rewards, paid[kept])
