"""Every loss on three rows whose value can be worked out on paper.

The policy takes its three actions with probability 0.5, 0.3 and 0.2, whatever the state. Row by row the ratios to the
policy that acted are 4, 0.5 and 1; the last row has a second pick, behind the end of its text, that must not count.
"""

from dataclasses import replace
from math import log

import numpy as np
import pytest
import torch
from torch import Tensor

from core.envs.observations import Observations, count
from core.models.distributions import PlackettLuce
from core.models.policy import PolicyOutput
from core.rl.a2c import A2C, A2CSettings
from core.rl.all_action import AllAction, AllActionSettings, RewardedStates
from core.rl.grpo import GRPO, GRPOSettings
from core.rl.off_policy import LoggedDecisions, OffPolicy, OffPolicySettings
from core.rl.ppo import PPO, PPOSettings
from core.rl.reinforce import Reinforce, ReinforceSettings
from core.rl.rollout import Rollout
from core.rl.supervised import Demonstrations, Supervised, SupervisedSettings
from core.util.errors import SteerError
from testing.gradients import NO_ENV, ThreeLogits, states

PROBS, REFERENCE = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.3, 0.5])
ENTROPY = -(0.5 * log(0.5) + 0.3 * log(0.3) + 0.2 * log(0.2))
KL = 0.5 * log(2.5) + 0.2 * log(0.4)  # to the reference
LOG_PROBS = [log(0.5), log(0.3), log(0.2)]


class Known(ThreeLogits):
    """The policy of this page; its critic expects what it is told."""

    def __init__(self, values: Tensor | None = None) -> None:
        super().__init__()
        self.theta.data = PROBS.double().log()
        self.values = values

    def forward(self, observations: Observations, actions: Tensor | None = None) -> PolicyOutput:
        self.given = actions
        output = super().forward(observations, actions)
        return output if self.values is None else replace(output, values=self.values)

    def log_probs_for_kl(self, observations: Observations, actions: Tensor) -> Tensor:
        log_probs = super().log_probs_for_kl(observations, actions)
        self.given = actions
        return log_probs


VALUES = torch.tensor([[1.0, 0.0], [2.0, 0.0], [3.0, 9.0]])  # 1, 2 and 0.5 off what the rows returned


def rows() -> Rollout:
    acted = torch.tensor([[0.125, 1.0], [0.6, 1.0], [0.2, 0.01]])  # probability of each pick then
    mask = torch.tensor([[True, False], [True, False], [True, False]])
    return Rollout(
        observations=states(3),
        actions=torch.tensor([[0, 0], [1, 0], [2, 2]]),
        mask=mask,
        log_probs=acted.log(),
        values=VALUES,
        rewards=torch.zeros(3, 2),
        dones=torch.ones(3, dtype=torch.bool),
        final_values=torch.zeros(3),
        last_values=torch.zeros(3),
        episode_returns=np.zeros(0),
        advantages=torch.tensor([[1.0, 100.0], [-1.0, 100.0], [3.0, 100.0]]),
        returns=torch.tensor([[0.0, 50.0], [4.0, 50.0], [3.5, 50.0]]),
        reference=REFERENCE.log().expand(3, -1),
    )


def near(value: float):
    return pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [(PPO, PPOSettings()), (A2C, A2CSettings()), (GRPO, GRPOSettings()), (Reinforce, ReinforceSettings())],
)
def test_a_policy_is_asked_about_the_actions_that_were_taken(algorithm, settings):
    # Where later picks depend on earlier ones, as in a text, the distribution is that behind these.
    batch, policy = rows(), Known(VALUES)
    algorithm(NO_ENV, settings, policy).loss(policy, batch)
    assert policy.given is batch.actions


def test_a_log_asks_about_the_actions_that_were_taken():
    policy = Known()
    OffPolicy(logged(), OffPolicySettings()).loss(policy, batch := logged())
    assert policy.given is batch.actions


def test_a_batch_moves_to_a_device_as_tensors_and_keeps_its_states():
    moved = demonstrations().to(torch.device("meta"))
    assert (moved.targets.device.type, moved.targets.shape) == ("meta", (4, 3))
    assert moved.observations == states(4)
    assert torch.equal(demonstrations().to(torch.device("cpu")).targets, torch.as_tensor(demonstrations().targets))


def test_ppo_clips_the_ratio_where_it_would_gain_and_adds_value_loss_entropy_and_kl():
    settings = PPOSettings(clip_range=0.2, vf_coef=0.5, ent_coef=0.1, kl_coef=0.4)
    loss, metrics = PPO(NO_ENV, settings, Known()).loss(Known(VALUES), rows())
    value_loss = (1 + 4 + 0.25) / 3
    expected = -(1.2 - 0.8 + 3) / 3 + 0.5 * value_loss - 0.1 * ENTROPY + 0.4 * KL
    assert loss.item() == near(expected)
    assert metrics == {
        "loss": near(expected),
        "entropy": near(ENTROPY),
        "kl": near(KL),
        "kl_coef": 0.4,
        "value_loss": near(value_loss),
        "approx_kl": near((4 - 1 - log(4) + 0.5 - 1 + log(2)) / 3),
        "clip_fraction": near(2 / 3),
    }


def test_a2c_weighs_log_probabilities_by_advantages():
    settings = A2CSettings(vf_coef=0.5, ent_coef=0.1, kl_coef=0.4)
    loss, metrics = A2C(NO_ENV, settings, Known()).loss(Known(VALUES), rows())
    value_loss = (1 + 4 + 0.25) / 3
    policy_loss = -(LOG_PROBS[0] - LOG_PROBS[1] + 3 * LOG_PROBS[2]) / 3
    assert loss.item() == near(policy_loss + 0.5 * value_loss - 0.1 * ENTROPY + 0.4 * KL)
    assert (metrics["value_loss"], metrics["kl"], metrics["entropy"]) == (near(value_loss), near(KL), near(ENTROPY))


@pytest.mark.parametrize(("high", "clipped"), [(None, 1.2), (0.28, 1.28), (0.5, 1.5)])
def test_grpo_may_leave_more_room_upwards(high, clipped):
    settings = GRPOSettings(clip_range=0.2, clip_range_high=high, ent_coef=0.1, kl_coef=0.4)
    loss, metrics = GRPO(NO_ENV, settings, Known()).loss(Known(), rows())
    assert loss.item() == near(-(clipped - 0.8 + 3) / 3 - 0.1 * ENTROPY + 0.4 * KL)
    assert metrics["kl"] == near(KL)


def test_reinforce_takes_the_ratio_of_whole_actions():
    batch = rows()
    batch.mask[2, 1] = True  # the last action has two picks: its ratio is 1 times 0.2 / 0.1
    batch.log_probs[2, 1] = log(0.1)
    settings = ReinforceSettings(clip_range=0.3, ent_coef=0.1, kl_coef=0.4)
    loss, metrics = Reinforce(NO_ENV, settings, Known()).loss(Known(), batch)
    assert loss.item() == near(-(1.3 - 0.7 + 3 * 1.3) / 3 - 0.1 * ENTROPY + 0.4 * KL)
    assert metrics["kl"] == near(KL)


def logged() -> LoggedDecisions:
    """Importance weights 2, 0.5 and 1."""
    return LoggedDecisions(
        states(3),
        torch.tensor([[0], [1], [2]]),
        torch.tensor([[0.25], [0.6], [0.2]]).log(),
        torch.tensor([1.0, 2.0, -3.0]),
    )


def test_off_policy_reinforce_weighs_and_caps_what_the_log_says():
    settings = OffPolicySettings(is_weight_max=1.5, ent_coef=0.1, kl_coef=0.4, baseline=0.5)
    algorithm = OffPolicy(logged(), settings, Known())
    algorithm.log.reference = REFERENCE.log().expand(3, -1)
    loss, metrics = algorithm.loss(Known(), algorithm.log)
    policy_loss = -(1.5 * 0.5 * LOG_PROBS[0] + 0.5 * 1.5 * LOG_PROBS[1] - 1.0 * 3.5 * LOG_PROBS[2]) / 3
    assert loss.item() == near(policy_loss - 0.1 * ENTROPY + 0.4 * KL)
    assert metrics["weights_cut"] == near(1 / 3)
    assert metrics["effective_share"] == near(3.5**2 / (3 * (4 + 0.25 + 1)))


@pytest.mark.parametrize(("log_ratios", "share"), [((50.0, 0.0, 1.0), 1 / 3), ((50.0, 50.0, 50.0), 1.0)])
def test_the_effective_share_of_a_log_bears_weights_of_any_size(log_ratios, share):
    propensities = torch.tensor(LOG_PROBS) - torch.tensor(log_ratios)
    log = replace(logged(), log_propensities=propensities[:, None])
    _, metrics = OffPolicy(log, OffPolicySettings(kl_coef=0)).loss(Known(), log)
    assert metrics["effective_share"] == near(share)


def test_off_policy_reinforce_compares_with_the_logs_mean_unless_told_otherwise():
    assert OffPolicy(logged(), OffPolicySettings()).baseline == 0.0
    assert OffPolicy(logged(), OffPolicySettings(baseline=0.25)).baseline == 0.25


def test_what_was_better_than_the_baseline_counts_at_least_the_smallest_weight():
    settings = OffPolicySettings(is_weight_min=0.8, is_weight_max=5, ent_coef=0, kl_coef=0, baseline=1.5)
    loss, metrics = OffPolicy(logged(), settings).loss(Known(), logged())
    assert loss.item() == near(-(-2 * 0.5 * LOG_PROBS[0] + 0.8 * 0.5 * LOG_PROBS[1] - 1 * 4.5 * LOG_PROBS[2]) / 3)
    assert metrics["weights_cut"] == 0.0


def test_a_log_of_one_decision_is_worth_one_however_seldom_the_policy_would_take_it():
    one = LoggedDecisions(states(1), torch.tensor([[2]]), torch.zeros(1, 1), torch.ones(1))
    _, metrics = OffPolicy(one, OffPolicySettings()).loss(Known(), one)
    assert metrics["effective_share"] == near(1.0)


def test_the_weights_of_a_lists_picks_are_multiplied():
    log_of_lists = LoggedDecisions(
        states(1), torch.tensor([[0, 1]]), torch.tensor([[0.25, 0.6]]).log(), torch.tensor([2.0])
    )
    settings = OffPolicySettings(ent_coef=0, kl_coef=0, baseline=1)
    loss, _ = OffPolicy(log_of_lists, settings).loss(Known(), log_of_lists)
    assert loss.item() == near(-(2 * 0.5) * (LOG_PROBS[0] + LOG_PROBS[1]))


def test_off_policy_reinforce_notes_the_reference_of_its_log():
    reference = Known()
    algorithm = OffPolicy(logged(), OffPolicySettings(kl_coef=0.1), reference)
    assert reference.given is algorithm.log.actions
    torch.testing.assert_close(algorithm.log.reference, PROBS.double().log().expand(3, -1))
    assert OffPolicy(logged(), OffPolicySettings(kl_coef=0), Known()).log.reference is None


def test_all_action_maximises_the_expected_reward():
    settings = AllActionSettings(ent_coef=0.1, kl_coef=0.4)
    algorithm = AllAction(states(2), lambda policy: np.zeros((2, 3)), settings, Known())
    reference = REFERENCE.log().expand(2, -1)
    batch = RewardedStates(states(2), np.array([[1.0, 0.0, 2.0], [0.0, 4.0, -1.0]]), reference)
    loss, metrics = algorithm.loss(Known(), batch)
    assert metrics["train_return"] == near((0.9 + 1.0) / 2)
    assert loss.item() == near(-0.95 - 0.1 * ENTROPY + 0.4 * KL)
    torch.testing.assert_close(algorithm.states.reference, PROBS.double().log().expand(2, -1))


def test_all_action_asks_for_the_values_anew_in_every_iteration():
    asked: list[object] = []

    def values(policy) -> np.ndarray:
        asked.append(policy)
        return np.full((5, 3), float(len(asked)))

    algorithm = AllAction(states(5), values, AllActionSettings(batch_size=2))
    policy, seen = Known(), []
    for seed in (0, 1):
        list(algorithm.updates(policy, seed, lambda batch: seen.append(batch.rewards[:, 0].tolist()) or {}))
    assert asked == [policy, policy]
    assert sorted(map(len, seen)) == [1, 1, 2, 2, 2, 2]
    assert {value for batch in seen for value in batch} == {1.0, 2.0}
    assert algorithm.updates_per_iteration() == 3


def demonstrations() -> Demonstrations:
    targets = [[1, 0, 0], [0, 0.5, 0.5], [0.5, 0.5, 0], [0, 0, 1]]
    return Demonstrations(states(4), np.array(targets, dtype=np.float32))


def test_supervised_loss_is_the_cross_entropy_of_the_right_actions():
    loss, metrics = Supervised(demonstrations(), SupervisedSettings()).loss(Known(), demonstrations())
    expected = (
        -(LOG_PROBS[0] + (LOG_PROBS[1] + LOG_PROBS[2]) / 2 + (LOG_PROBS[0] + LOG_PROBS[1]) / 2 + LOG_PROBS[2]) / 4
    )
    assert metrics == {"loss": near(expected), "accuracy": near(0.5)}
    assert loss.item() == near(expected)


def test_an_option_that_is_not_on_offer_makes_no_loss_infinite():
    policy = Known()
    policy.theta.data = torch.tensor([0.0, 0.0, float("-inf")], dtype=torch.float64)
    loss, _ = Supervised(demonstrations(), SupervisedSettings()).loss(policy, demonstrations())
    assert loss.item() == near((log(2) + (log(2) + 1e4) / 2 + log(2) + 1e4) / 4)


def test_of_a_list_the_first_pick_alone_is_demonstrated():
    class Lists(Known):
        def forward(self, observations, actions=None):
            logits = self.theta.expand(count(observations), -1)
            return PolicyOutput(PlackettLuce(logits, 2), torch.zeros(count(observations), 2))

    first = Demonstrations(states(1), np.array([[1, 0, 0]], dtype=np.float32))
    _, metrics = Supervised(first, SupervisedSettings()).loss(Lists(), first)
    assert metrics["accuracy"] == 1.0


def test_without_a_reference_nothing_is_said_of_kl():
    settings = A2CSettings(ent_coef=0.1, kl_coef=0.0)
    batch = rows()
    batch.reference = None
    reference = Known()
    algorithm = A2C(NO_ENV, settings, reference)
    _, metrics = algorithm.loss(Known(VALUES), batch)
    assert "kl" not in metrics
    assert algorithm.reference is None
    assert A2C(NO_ENV, A2CSettings(kl_coef=0.1), reference).reference is reference


@pytest.mark.parametrize(
    ("measured", "factor"), [(0.05, 1.0), (0.055, 1.1), (0.045, 0.9), (0.07, 1.2), (5.0, 1.2), (0.0, 0.8), (0.02, 0.8)]
)
def test_the_kl_penalty_follows_its_target_by_a_fifth_at_most(measured, factor):
    algorithm = AllAction(states(1), None, AllActionSettings(kl_coef=0.4, kl_coef_target=0.05))
    algorithm.end_iteration(Known(), {"kl": measured})
    assert algorithm.kl_coef == near(0.4 * factor)
    again = AllAction(states(1), None, AllActionSettings(kl_coef=0.1))
    again.load_state(algorithm.state())
    assert again.kl_coef == algorithm.kl_coef


def test_without_a_target_or_a_measurement_the_penalty_stays():
    fixed = AllAction(states(1), None, AllActionSettings(kl_coef=0.4))
    fixed.end_iteration(Known(), {"kl": 9.0})
    unmeasured = AllAction(states(1), None, AllActionSettings(kl_coef=0.4, kl_coef_target=0.05))
    unmeasured.end_iteration(Known(), {"loss": 9.0})
    assert (fixed.kl_coef, unmeasured.kl_coef) == (0.4, 0.4)


@pytest.mark.parametrize(
    ("propensity", "reward"), [(0.0, 1.0), (1.1, 1.0), (0.5, float("nan")), (0.5, float("inf")), (float("nan"), 1.0)]
)
def test_a_log_with_an_impossible_row_is_refused_with_its_number(propensity, reward):
    propensities = torch.tensor([[0.5, 0.5], [0.5, propensity]]).log()
    with pytest.raises(SteerError, match=r"logged decision 1 has reward"):
        LoggedDecisions(states(2), torch.zeros(2, 2, dtype=torch.long), propensities, torch.tensor([1.0, reward]))


def test_a_certain_decision_is_no_impossible_one():
    LoggedDecisions(states(1), torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, 1), torch.zeros(1))


def test_two_logs_are_added_row_by_row():
    every = torch.eye(3)
    full, bare = replace(logged(), all_action_rewards=every), logged()
    both = full + replace(logged(), all_action_rewards=2 * every)
    assert both.actions[:, 0].tolist() == [0, 1, 2, 0, 1, 2]
    assert both.rewards.tolist() == [1, 2, -3, 1, 2, -3]
    assert both.log_propensities[:, 0].exp().tolist() == pytest.approx([0.25, 0.6, 0.2] * 2)
    assert both.observations == states(6)
    assert torch.equal(both.all_action_rewards, torch.cat([every, 2 * every]))
    assert (full + bare).all_action_rewards is None
    assert (bare + full).all_action_rewards is None


def test_the_smallest_weight_may_equal_the_largest_and_not_exceed_it():
    assert OffPolicySettings(is_weight_min=1, is_weight_max=1).is_weight_min == 1
    with pytest.raises(ValueError, match=r"is_weight_min \(2.0\) exceeds is_weight_max \(1.0\): lower it"):
        OffPolicySettings(is_weight_min=2, is_weight_max=1)
