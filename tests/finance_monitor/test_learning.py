"""Corrected labels become decisions whose every action's reward is known."""

import pytest
import torch

from apps.finance_monitor.data import SENTIMENTS, TOPICS
from apps.finance_monitor.task import FinanceMonitor
from core.platform.retraining.replay import best_known
from core.platform.store.decisions import DecisionWithFeedback
from core.platform.store.schema import Decision, Feedback
from core.training.loader import open_task
from core.training.run import Run, trained_policy
from core.training.settings import Settings

COMPANY, HEADLINE = "Corvane", "Corvane cuts its outlook after a weak quarter"


@pytest.fixture(scope="module")
def task():
    return FinanceMonitor(Settings())


def joint(topic: str, sentiment: str) -> int:
    return TOPICS.index(topic) * len(SENTIMENTS) + SENTIMENTS.index(sentiment)


def corrected(action: int, *labels: tuple[str, str]) -> DecisionWithFeedback:
    state = {"company": COMPANY, "headline": HEADLINE, "confidence": 0.6}
    opinions = tuple(Feedback(value=-1.0, about={"topic": t, "sentiment": s}) for t, s in labels)
    return DecisionWithFeedback(Decision(state=state, action=[action], propensity=1.0), opinions, ())


def test_the_log_holds_the_text_that_the_policy_read(task, services, runs):
    service = services["finance_monitor"]
    label = service.read(COMPANY, HEADLINE)
    log = task.feedback_decisions([corrected(joint(label.topic, label.sentiment), ("earnings", "negative"))])
    run = Run(runs / "finance_monitor")
    policy = trained_policy(open_task(FinanceMonitor, run), run).for_serving()
    assert policy.predict(log.observations).tolist() == log.actions.tolist()
    assert log.observations["text"] == (service.newsroom.text(COMPANY, HEADLINE),)


def test_a_correction_tells_what_every_label_would_have_been_worth(task):
    log = task.feedback_decisions([corrected(joint("deals", "positive"), ("earnings", "negative"))])
    assert log.rewards.tolist() == [-3.0]  # bad news taken for good, and the wrong topic
    assert log.all_action_rewards[0, joint("earnings", "negative")] == log.all_action_rewards.max() == 1.5
    lessons = best_known(log)
    assert lessons.actions.tolist() == [[joint("earnings", "negative")]]
    assert lessons.rewards.item() == pytest.approx(1.5 - log.all_action_rewards.mean().item())
    assert torch.equal(lessons.log_propensities, torch.zeros(1, 1))


def test_the_newest_of_several_corrections_counts(task):
    log = task.feedback_decisions([corrected(0, ("earnings", "negative"), ("legal", "neutral"))])
    assert int(log.all_action_rewards.argmax()) == joint("legal", "neutral")
    assert task.feedback_decisions([corrected(0)]) is None
