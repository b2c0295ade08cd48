"""Off-policy estimates of logs so small that they can be worked out on paper."""

import numpy as np
import pytest
import torch

from core.evaluation.off_policy import (
    ImportanceWeighted,
    LogEvaluator,
    cross_fitted_rewards,
    doubly_robust,
    effective_sample_size,
    fit_rewards,
    weighted,
)
from core.rl.off_policy import LoggedDecisions
from core.util.errors import SteerError
from testing.gradients import ThreeLogits, states


def log_of(actions: list[int], propensities: list[float], rewards: list[float], picks: int = 1) -> LoggedDecisions:
    chosen, probability = torch.tensor(actions)[:, None], torch.tensor(propensities)[:, None]
    return LoggedDecisions(
        states(len(actions)), chosen.expand(-1, picks), probability.log().expand(-1, picks), torch.tensor(rewards)
    )


def always(action: int):
    return lambda observations: np.full((len(observations["text"]), 1), action)


class Chooser(ThreeLogits):
    """Takes its actions with probability 0.5, 0.3 and 0.2."""

    def __init__(self) -> None:
        super().__init__()
        self.theta.data = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log()

    def predict(self, observations):
        return np.zeros((len(observations["text"]), 1), dtype=np.int64)


# Ten decisions, every other one of action 1, at even chances.
HALF = log_of([0, 1] * 5, [0.5] * 10, [0.0, 1.0] * 4 + [0.0, 6.0])
BLIND = np.zeros((10, 1))


def test_the_mean_is_weighted_within_each_resample():
    log = ImportanceWeighted(np.array([1.0, 3.0, 0.0]), np.array([10.0, 2.0, 99.0]))
    assert log.mean(np.array([[0, 1], [1, 1], [2, 2]])).tolist() == [4.0, 2.0, 0.0]


def test_an_estimate_is_the_weighted_mean_with_an_interval_around_it():
    log = ImportanceWeighted(np.ones(40), np.arange(40.0))
    estimate = log.estimate()
    assert estimate.value == 19.5
    half = 1.96 * np.arange(40).std() / np.sqrt(40)
    assert (estimate.low, estimate.high) == (pytest.approx(19.5 - half, abs=0.5), pytest.approx(19.5 + half, abs=0.5))


def test_a_gain_is_that_over_the_baseline_on_the_same_decisions():
    better, worse = (ImportanceWeighted(np.ones(40), np.arange(40.0) + more) for more in (0.5, 0.0))
    gain = better.gain(worse)
    assert (gain.value, gain.low, gain.high) == pytest.approx((0.5, 0.5, 0.5))


def test_a_policy_that_samples_weighs_a_log_by_its_own_probabilities():
    log = weighted(Chooser(), log_of([0, 1, 2], [0.25, 0.6, 0.2], [1.0, 2.0, 3.0]))
    assert (log.weights / log.weights[2]).tolist() == pytest.approx([2.0, 0.5, 1.0])
    assert log.rewards.tolist() == [1.0, 2.0, 3.0]
    assert log.weights.max() == 1.0  # whatever the scale, nothing overflows
    lists = weighted(Chooser(), log_of([0, 1], [0.25, 0.6], [1.0, 2.0], picks=2))
    assert lists.weights[0] / lists.weights[1] == pytest.approx(16.0)


def test_where_every_reward_is_known_a_policy_earns_that_of_its_best_action():
    log = log_of([2, 1], [0.2, 0.3], [1.0, 1.0])
    log.all_action_rewards = torch.tensor([[5.0, 1.0, 1.0], [7.0, 1.0, 1.0]])
    known = weighted(Chooser(), log)
    assert known.rewards.tolist() == [5.0, 7.0]
    assert known.weights.tolist() == [1.0, 1.0]


def test_a_log_is_worth_as_many_decisions_as_equal_weights_would_be():
    assert effective_sample_size(np.array([2.0, 0.0, 4.0])) == pytest.approx(36 / 20)
    assert effective_sample_size(np.full(5, 0.3)) == pytest.approx(5.0)
    assert effective_sample_size(np.zeros(4)) == 0.0


def test_doubly_robust_corrects_the_model_by_what_was_seen():
    terms = doubly_robust(np.array([2.0, 0.0]), np.array([1.0, 5.0]), np.array([0.5, 0.5]), np.array([0.7, 0.2]))
    assert terms == pytest.approx([0.7 + 2 * 0.5, 0.2])


def test_rewards_are_regressed_on_the_states_of_each_action():
    # A ridge of 1 on the points (-1, -1) and (1, 1) has the slope 2 / (2 + 1).
    vectors, actions = np.array([[-1.0], [1.0], [0.0]]), np.array([0, 0, 2])
    model = fit_rewards(vectors, actions, np.array([-1.0, 1.0, 6.0]), 3)
    assert model.predict(np.array([[3.0], [0.0]])).tolist() == [
        pytest.approx([2.0, 2.0, 6.0]),  # action 1 was never taken: the mean of -1, 1 and 6
        pytest.approx([0.0, 2.0, 6.0]),
    ]


def test_the_regression_of_rewards_is_about_their_means():
    # Around the means 3, 6 and 5 the points are those of slope 2/3 again, once in each of two columns.
    vectors = np.array([[2.0, 6.0], [4.0, 6.0]])
    model = fit_rewards(vectors, np.zeros(2, dtype=np.int64), np.array([4.0, 6.0]), 1)
    assert model.predict(np.array([[3.0, 6.0], [6.0, 6.0], [3.0, 9.0]]))[:, 0].tolist() == pytest.approx(
        [5.0, 7.0, 5.0]
    )


def test_a_decision_is_predicted_by_the_four_folds_that_it_is_not_in():
    rewards = np.zeros(10)
    rewards[3] = 90.0
    actions = np.zeros(10, dtype=np.int64)
    predicted = cross_fitted_rewards(BLIND, actions, rewards, 1)[:, 0]
    assert predicted[3] == 0.0
    assert sorted(predicted.round(6).tolist()) == [0.0] * 2 + [90 / 8] * 8
    assert cross_fitted_rewards(BLIND, actions, rewards, 1, seed=0)[:, 0].tolist() == predicted.tolist()
    others = [cross_fitted_rewards(BLIND, actions, rewards, 1, seed=seed)[:, 0].tolist() for seed in (1, 2, 3)]
    assert any(other != predicted.tolist() for other in others)
    assert cross_fitted_rewards(BLIND[:3], actions[:3], rewards[[1, 2, 3]], 1)[2].tolist() == [0.0]


def test_each_estimator_of_a_rule_that_half_of_the_log_agrees_with():
    evaluator = LogEvaluator(HALF, BLIND)
    found = evaluator.estimates(always(1))
    assert found.ips.value == pytest.approx(2 * (4 * 1 + 6) / 10)
    assert found.snips.value == pytest.approx(2.0)
    assert found.effective_sample_size == pytest.approx(5.0)
    q = evaluator.q
    terms = [q[row, 1] + (2 * (HALF.rewards[row].item() - q[row, 1]) if row % 2 else 0.0) for row in range(10)]
    assert found.dr.value == pytest.approx(np.mean(terms))
    assert evaluator(always(1)).returns == pytest.approx(terms)
    assert found.dr.low < found.dr.value < found.dr.high


def test_a_rule_that_always_does_what_is_worth_nothing_earns_nothing():
    found = LogEvaluator(HALF, BLIND).estimates(always(0))
    assert (found.ips.value, found.snips.value, found.dr.value) == (0.0, 0.0, 0.0)


def test_an_action_that_is_not_in_the_log_is_taken_for_an_average_one():
    played = LogEvaluator(HALF, BLIND)(always(2))
    assert played.returns.tolist() == pytest.approx([1.0] * 10)


def test_what_was_logged_is_one_step_an_episode_and_has_no_outcome():
    evaluator = LogEvaluator(HALF, BLIND)
    for played, returns in ((evaluator.logging_policy(), HALF.rewards.tolist()), (evaluator(always(0)), [0.0] * 10)):
        assert played.returns.tolist() == returns
        assert played.steps.tolist() == [1] * 10
        assert played.steps.dtype == np.int64
        assert played.outcomes == [""] * 10


def test_ten_decisions_are_enough_and_nine_or_lists_are_refused():
    with pytest.raises(SteerError, match="9 logged decisions are too few to evaluate on; log at least 10"):
        LogEvaluator(HALF.rows(np.arange(9)), BLIND[:9])
    with pytest.raises(SteerError, match="of 2 picks each"):
        LogEvaluator(log_of([0, 1] * 5, [0.5] * 10, [0.0] * 10, picks=2), BLIND)
