"""What a label is worth, confusion by confusion."""

import numpy as np
import pytest

from apps.finance_monitor.data import LABELS
from apps.finance_monitor.rewards import REWARD
from apps.finance_monitor.task import FinanceMonitor
from core.training.settings import load_settings

SENTIMENTS = ("negative", "neutral", "positive")


@pytest.mark.parametrize(
    ("label", "truth", "worth"),
    [
        ("legal/negative", "legal/negative", 1.5),
        ("legal/neutral", "legal/neutral", 1.5),
        ("legal/positive", "legal/positive", 1.5),
        ("legal/positive", "deals/positive", 1.0),  # the topic is wrong
        ("legal/neutral", "legal/negative", 0.5 - 2.0),  # bad news missed
        ("legal/positive", "legal/negative", 0.5 - 3.0),
        ("legal/negative", "legal/neutral", 0.5 - 1.0),  # a false alarm
        ("legal/negative", "deals/positive", -1.0),
        ("legal/neutral", "legal/positive", 0.5 - 0.5),
        ("legal/positive", "deals/neutral", -0.5),
    ],
)
def test_a_label_is_worth_what_its_confusion_costs(label, truth, worth):
    assert REWARD(None, label, truth) == worth


def test_of_the_three_sentiments_the_right_one_is_always_worth_most_and_missing_bad_news_costs_most():
    table = REWARD.table(None, [f"legal/{one}" for one in SENTIMENTS], [f"legal/{one}" for one in SENTIMENTS])
    assert table.argmax(axis=1).tolist() == [0, 1, 2]
    assert table.min(axis=1).argmin() == 0


def test_a_persons_time_can_be_charged_for_each_flag_right_or_wrong():
    charged = REWARD.with_weights({"flagged": -0.25})
    for truth in SENTIMENTS:
        paid = {label: charged(None, f"legal/{label}", f"legal/{truth}") for label in SENTIMENTS}
        free = {label: REWARD(None, f"legal/{label}", f"legal/{truth}") for label in SENTIMENTS}
        assert paid == {"negative": free["negative"] - 0.25, "neutral": free["neutral"], "positive": free["positive"]}


def test_the_environment_pays_for_every_headline_and_label_what_the_table_says():
    task = FinanceMonitor(load_settings({}, overrides=["rewards.flagged=-0.25"]))
    env = task.environment("validation")
    truths = [LABELS.index(item.label) for item in task.news.labelled("validation")]
    for action, label in enumerate(LABELS):
        states, _ = env.reset(seed=0)
        _, paid, *_ = env.step(np.full((env.num_envs, 1), action))
        np.testing.assert_array_equal(paid, task.reward_table(states)[truths, action], err_msg=label)
