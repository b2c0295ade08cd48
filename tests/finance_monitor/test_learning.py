"""One reward: what the environment pays, what training climbs, and what a correction teaches are the same."""

from collections import defaultdict
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from apps.finance_monitor.data import LABELS, SENTIMENTS, TOPICS
from apps.finance_monitor.rewards import REWARD
from apps.finance_monitor.task import FinanceMonitor
from core.platform.retraining.replay import best_known
from core.training.feedback import DecisionWithFeedback, Feedback, LoggedDecision
from core.training.loader import open_task
from core.training.run import Run, trained_policy
from core.training.settings import Settings
from core.util.errors import SteerError

COMPANY, HEADLINE = "Corvane", "Corvane cuts its outlook after a weak quarter"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def task():
    return FinanceMonitor(Settings())


def corrected(said: object, *right: str) -> DecisionWithFeedback:
    state = {"company": COMPANY, "headline": HEADLINE, "confidence": 0.6}
    opinions = [dict(zip(("topic", "sentiment"), label.split("/"), strict=True)) for label in right]
    return DecisionWithFeedback(
        LoggedDecision("d1", state, [said], 1.0, NOW),
        tuple(Feedback("ann", "", -1.0, about, NOW) for about in opinions),
    )


def test_the_environment_pays_for_every_label_of_every_headline_what_the_reward_says():
    weights = {name: float(at + 1) ** 2 * (-1) ** at for at, name in enumerate(REWARD.terms)}
    task = FinanceMonitor(Settings(rewards=weights))
    truths = [item.label for item in task.news.labelled("validation")]
    env, (_, table) = task.environment("validation"), task.all_rewards("validation")
    for action, label in enumerate(LABELS):
        env.reset(seed=0)
        _, paid, ends, _, infos = env.step(np.full((env.num_envs, 1), action))
        assert ends.all()
        assert paid.tolist() == [task.reward(None, label, truths[row]) for row in infos["episode"]]
        assert paid.tolist() == table[infos["episode"], action].tolist()


def test_the_policys_choices_are_the_labels_in_their_order(task):
    names = [f"{TOPICS[at // len(SENTIMENTS)]}/{SENTIMENTS[at % len(SENTIMENTS)]}" for at in range(len(LABELS))]
    assert names == list(LABELS)
    assert task.reward_table({"text": ("x",)}).tolist() == task.reward.table(None, LABELS, LABELS).tolist()


def test_the_probabilities_of_a_label_are_beliefs_and_costs_move_the_decision_alone(task, services, runs):
    run = Run(runs / "finance_monitor")
    policy, texts = trained_policy(open_task(FinanceMonitor, run), run).for_serving(), task.demonstrations("test")
    labels = services["finance_monitor"].labels([(item.company, item.headline) for item in task.news.labelled("test")])
    log_probs, beliefs = policy.decide(texts.observations)
    chosen = torch.tensor([LABELS.index(f"{label.topic}/{label.sentiment}") for label in labels])
    # Of two that are as good, another batch may choose the other.
    best = log_probs.max(-1).values
    assert (log_probs[torch.arange(len(chosen)), chosen] > best - 0.05).all()
    assert (chosen == log_probs.argmax(-1)).float().mean() > 0.98
    by_sentiment = beliefs.reshape(-1, len(TOPICS), len(SENTIMENTS)).sum(1)
    shown = torch.tensor([[label.probabilities[each] for each in SENTIMENTS] for label in labels])
    torch.testing.assert_close(shown, by_sentiment, atol=0.02, rtol=0)
    policy.head.rewards = lambda states: REWARD.with_weights({"negative_as_neutral": -20.0}).table(None, LABELS, LABELS)
    dearer, same = policy.decide(texts.observations)
    torch.testing.assert_close(same, beliefs)
    flagged = [sum(LABELS[at].endswith("negative") for at in each.argmax(-1)) for each in (log_probs, dearer)]
    assert flagged[0] < flagged[1]


def test_a_headline_about_two_companies_falls_into_one_half(task):
    by_headline = defaultdict(set)
    for item in task.news.labelled("train"):
        by_headline[item.headline].add(task.news.text(item.company, item.headline))
    pairs = [tuple(texts) for texts in by_headline.values() if len(texts) > 1]
    assert len(pairs) > 500
    assert all(len(set(task.halves(texts))) == 1 for texts in pairs)
    assert 0.4 < task.halves([texts[0] for texts in pairs]).mean() < 0.6


def test_a_reward_that_there_is_not_is_named():
    with pytest.raises(SteerError, match="unknown reward 'wrong_topic'; there are right_sentiment, right_topic"):
        FinanceMonitor(Settings(rewards={"wrong_topic": 1.0}))


def test_the_log_holds_the_text_that_the_policy_read(task, services, runs):
    (label,) = services["finance_monitor"].read([(COMPANY, HEADLINE)])
    log = task.feedback_decisions([corrected(f"{label.topic}/{label.sentiment}", "earnings/negative")])
    run = Run(runs / "finance_monitor")
    policy = trained_policy(open_task(FinanceMonitor, run), run).for_serving()
    assert policy.predict(log.observations).tolist() == log.actions.tolist()
    assert log.observations["text"] == ("[MASK] cuts its outlook after a weak quarter",)


def test_a_correction_tells_what_every_label_would_have_been_worth(task):
    log = task.feedback_decisions([corrected("deals/positive", "earnings/negative")])
    assert log.rewards.tolist() == [-3.0]  # bad news taken for good, and the wrong topic
    assert log.all_action_rewards[0, LABELS.index("earnings/negative")] == log.all_action_rewards.max() == 1.5
    lessons = best_known(log)
    assert lessons.actions.tolist() == [[LABELS.index("earnings/negative")]]
    assert lessons.rewards.item() == pytest.approx(1.5 - log.all_action_rewards.mean().item())
    assert torch.equal(lessons.log_propensities, torch.zeros(1, 1))


def test_the_newest_of_several_corrections_counts(task):
    log = task.feedback_decisions([corrected("earnings/negative", "earnings/negative", "legal/neutral")])
    assert LABELS[int(log.all_action_rewards.argmax())] == "legal/neutral"
    assert task.feedback_decisions([corrected("earnings/negative")]) is None


def test_labels_that_were_logged_by_number_or_are_gone_are_told_apart(task):
    old = LABELS.index("deals/positive")
    rows = [corrected(old, "earnings/negative"), corrected("weather/bad", "earnings/negative"), corrected(99, "a/b")]
    log = task.feedback_decisions(rows)
    assert log.actions.tolist() == [[old]]
    assert log.rewards.tolist() == [-3.0]
