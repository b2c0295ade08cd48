"""The estimators find out what a policy earns, on logs whose truth is known."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from core.envs.observations import count
from core.evaluation.off_policy import (
    ImportanceWeighted,
    LogEvaluator,
    cross_fitted_rewards,
    doubly_robust,
    effective_sample_size,
    fit_rewards,
)
from core.rl.off_policy import LoggedDecisions
from core.util.errors import SteerError

ACTIONS = 3
TRUE = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])  # of each action in states of each of two kinds


def logged(rows: int, seed: int = 0) -> tuple[LoggedDecisions, np.ndarray]:
    """Decisions of a policy that prefers action 0 everywhere, and the kind of each state."""
    generator = np.random.default_rng(seed)
    kinds = generator.integers(0, 2, rows)
    propensities = np.array([0.6, 0.25, 0.15])
    actions = generator.choice(ACTIONS, rows, p=propensities)
    rewards = TRUE[kinds, actions] + generator.normal(0, 0.3, rows)
    log = LoggedDecisions(
        {"kind": kinds},
        torch.from_numpy(actions)[:, None],
        torch.from_numpy(propensities[actions]).log().float()[:, None],
        torch.from_numpy(rewards).float(),
    )
    return log, np.eye(2)[kinds]


def right(states):
    return np.asarray(states["kind"])[:, None]


def safe(states):
    return np.full((count(states), 1), 2)


def test_three_decisions_are_weighed_as_the_equations_say():
    weights, rewards = np.array([2.0, 0.0, 4.0]), np.array([1.0, 5.0, 0.5])
    assert ImportanceWeighted(weights, rewards).mean(np.arange(3)) == pytest.approx((2 * 1 + 4 * 0.5) / 6)
    assert effective_sample_size(weights) == pytest.approx(36 / 20)
    terms = doubly_robust(weights, rewards, np.array([0.5, 0.5, 1.0]), np.array([0.7, 0.2, 0.1]))
    assert terms == pytest.approx([0.7 + 2 * 0.5, 0.2, 0.1 - 4 * 0.5])


def test_a_log_that_says_nothing_about_a_policy_is_worth_no_decision():
    nothing = np.zeros(4)
    assert effective_sample_size(nothing) == 0
    assert ImportanceWeighted(nothing, np.ones(4)).mean(np.arange(4)) == 0


@pytest.mark.parametrize(("rule", "truth"), [(right, 1.0), (safe, 0.5)])
def test_every_estimator_finds_what_a_rule_earns(rule, truth):
    found = LogEvaluator(*logged(4000)).estimates(rule)
    for estimate in (found.ips, found.snips, found.dr):
        assert estimate.low < truth < estimate.high
    width = {name: getattr(found, name).high - getattr(found, name).low for name in ("ips", "snips", "dr")}
    assert width["dr"] < width["ips"]
    assert width["snips"] < width["ips"]


def test_doubly_robust_is_right_though_the_reward_model_is_wrong():
    log, vectors = logged(6000)
    blind = LogEvaluator(log, np.zeros_like(vectors))  # no kind is seen: the model knows mean rewards alone
    found = blind.estimates(right)
    assert blind.q.std(axis=0).max() < 0.05
    assert found.dr.low < 1.0 < found.dr.high


def test_the_mean_of_a_rules_terms_is_its_estimate_and_gains_are_paired():
    evaluator = LogEvaluator(*logged(3000))
    best, fixed = evaluator(right), evaluator(safe)
    assert best.returns.mean() == pytest.approx(evaluator.estimates(right).dr.value)
    assert (best.returns - fixed.returns).mean() == pytest.approx(0.5, abs=0.1)
    assert evaluator.logging_policy().returns.mean() == pytest.approx(evaluator.rewards.mean())


def test_the_effective_sample_size_is_that_of_the_decisions_that_agree():
    log, vectors = logged(5000)
    agreeing = float((log.actions[:, 0] == 2).sum())
    assert LogEvaluator(log, vectors).estimates(safe).effective_sample_size == pytest.approx(agreeing)


def test_a_decision_is_predicted_by_models_that_have_not_seen_it():
    generator = np.random.default_rng(0)
    vectors, rewards = generator.normal(size=(60, 50)), generator.normal(size=60)  # nothing to learn
    actions = np.zeros(60, dtype=np.int64)
    seen = fit_rewards(vectors, actions, rewards, 1).predict(vectors)[:, 0]
    unseen = cross_fitted_rewards(vectors, actions, rewards, 1)[:, 0]
    assert np.corrcoef(seen, rewards)[0, 1] > 0.9
    assert abs(np.corrcoef(unseen, rewards)[0, 1]) < 0.4


def test_the_reward_model_is_a_ridge_regression_of_each_action():
    generator = np.random.default_rng(1)
    vectors, rewards = generator.normal(size=(40, 6)), generator.normal(size=40)
    actions = generator.integers(0, 2, 40)
    predicted = fit_rewards(vectors, actions, rewards, 3).predict(vectors)
    for action in (0, 1):
        theirs = Ridge(alpha=1.0).fit(vectors[actions == action], rewards[actions == action])
        assert predicted[:, action] == pytest.approx(theirs.predict(vectors))
    assert predicted[:, 2] == pytest.approx(rewards.mean())  # never taken


def test_an_action_that_was_never_logged_is_taken_for_an_average_one():
    log, vectors = logged(200)
    evaluator = LogEvaluator(log, vectors)
    never = evaluator(lambda states: np.full((count(states), 1), 7))
    assert never.returns == pytest.approx(evaluator.rewards.mean())


def test_a_log_of_lists_or_of_a_handful_is_refused():
    log, vectors = logged(20)
    with pytest.raises(SteerError, match="3 logged decisions are too few"):
        LogEvaluator(log.rows(np.arange(3)), vectors[:3])
    lists = LoggedDecisions(
        log.observations, log.actions.expand(-1, 2), log.log_propensities.expand(-1, 2), log.rewards
    )
    with pytest.raises(SteerError, match="2 picks each"):
        LogEvaluator(lists, vectors)
