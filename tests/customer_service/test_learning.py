"""What people say about replies becomes decisions to learn from, in the states in which the bot had replied."""

import asyncio

import numpy as np
import pytest
import torch

from apps.customer_service.environment import ASK_BACK, CANDIDATES, DECLINE, HAND_OVER
from core.platform.store.decisions import DecisionWithFeedback
from core.platform.store.schema import Decision, Feedback
from core.rl.explore import Explorer
from core.training.run import Run, trained_policy

MESSAGES = [
    "my parcel has not arrived",
    "I want to speak to a person",
    "which colour do you like?",
    "reset my password",
]


@pytest.fixture(scope="module")
def service(services):
    return services["customer_service"]


def judged(state, action, value, propensity=1.0) -> DecisionWithFeedback:
    decision = Decision(state=state, action=[action], propensity=propensity)
    return DecisionWithFeedback(decision, (Feedback(value=value, about={}),), ())


def test_the_log_holds_what_the_policy_saw_and_did(service, runs):
    explorer = Explorer(1.0, seed=0)
    choices = [asyncio.run(service.reply([], message, explorer)).choice for message in MESSAGES]
    log = service.task.feedback_decisions([judged(c.state, c.action, 1.0, c.propensity) for c in choices])
    assert log.actions[:, 0].tolist() == [choice.action for choice in choices]
    served = torch.tensor([choice.propensity for choice in choices])
    policy = trained_policy(service.task, Run(runs / "customer_service")).for_serving()
    again = policy.distribution(policy.logits(log.observations)).log_prob(log.actions)[:, 0].exp()
    assert torch.allclose(again, served.float(), atol=2e-3)
    assert torch.allclose(log.log_propensities[:, 0].exp(), served.float())


def test_opinions_are_paid_on_the_scale_of_the_rewards(service):
    state = asyncio.run(service.reply([], MESSAGES[0])).choice.state
    actions = [0, HAND_OVER, DECLINE, ASK_BACK]
    rows = [judged(state, action, value) for value in (1.0, -1.0, 0.0) for action in actions]
    rewards = service.task.feedback_decisions(rows).rewards.numpy().reshape(3, 4)
    expected = [[1.0, 1.0, 1.0, 0.8], [-1.5, -0.2, -1.0, -0.4], [-0.25, 0.4, 0.0, 0.2]]
    np.testing.assert_allclose(rewards, expected, atol=1e-6)


def test_an_article_keeps_its_decision_wherever_it_stands_today_and_a_lost_one_loses_it(service):
    state = asyncio.run(service.reply([], MESSAGES[0])).choice.state
    moved = {**state, "candidates": state["candidates"][::-1]}
    lost = {**state, "candidates": ["no such article"] * CANDIDATES}
    log = service.task.feedback_decisions([judged(moved, 2, 1.0), judged(lost, 2, 1.0), judged(lost, HAND_OVER, 1.0)])
    assert log.actions[:, 0].tolist() == [CANDIDATES - 3, HAND_OVER]
    assert service.task.feedback_decisions([judged(lost, 2, 1.0)]) is None
    assert service.task.feedback_decisions([]) is None
