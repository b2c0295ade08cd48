import numpy as np
import pytest
import torch

from core.rl.rollout import (
    Rollout,
    check_groups_begin_alike,
    first_episodes,
    generalized_advantages,
    group_relative,
    leave_one_out,
    normalize_advantages,
)
from core.util.errors import SteerError


def rollout(rewards, values, dones, last, mask=None, final=None) -> Rollout:
    """Rewards and values of shape (steps, environments, picks), dones and final values of (steps, environments)."""
    picks = rewards.shape[2]
    flat_rewards, flat_values = rewards.reshape(-1, picks), values.reshape(-1, picks)
    rows, nothing = len(flat_rewards), torch.zeros_like(flat_rewards)
    return Rollout(
        observations={"text": ("",) * rows},
        actions=nothing.long(),
        mask=torch.ones_like(nothing, dtype=torch.bool) if mask is None else mask.reshape(-1, picks),
        log_probs=nothing,
        values=flat_values,
        rewards=flat_rewards,
        dones=dones.reshape(-1),
        final_values=torch.zeros(rows) if final is None else final.reshape(-1),
        last_values=last,
        episode_returns=np.zeros(0),
        advantages=nothing,
        returns=nothing,
    )


def test_advantages_follow_the_definition_step_by_step():
    torch.manual_seed(0)
    steps, environments, gamma, lam = 5, 3, 0.9, 0.8
    rewards, values = torch.randn(steps, environments, 1), torch.randn(steps, environments, 1)
    dones = torch.rand(steps, environments) < 0.3
    last = torch.randn(environments)
    flat, returns = generalized_advantages(rollout(rewards, values, dones, last), gamma, lam)
    advantages = flat.reshape(steps, environments, 1)
    for e in range(environments):
        for t in range(steps):
            expected, weight = 0.0, 1.0
            for k in range(t, steps):
                next_value = last[e] if k == steps - 1 else values[k + 1, e, 0]
                expected += weight * (rewards[k, e, 0] + gamma * next_value * (~dones[k, e]) - values[k, e, 0])
                if dones[k, e]:
                    break
                weight *= gamma * lam
            assert torch.isclose(advantages[t, e, 0], torch.as_tensor(expected), atol=1e-5)
    assert torch.allclose(returns, flat + values.reshape(-1, 1))


def test_the_picks_of_a_list_are_steps_in_time():
    rewards = torch.tensor([[[1.0, 2.0, 3.0]]])
    ended = rollout(rewards, 0 * rewards, torch.ones(1, 1, dtype=torch.bool), torch.ones(1))
    advantages, _ = generalized_advantages(ended, 1.0, 1.0)
    assert advantages.tolist() == [[6.0, 5.0, 3.0]]


def test_the_filling_behind_a_short_text_changes_nothing():
    torch.manual_seed(1)
    rewards, values = torch.randn(2, 1, 2), torch.randn(2, 1, 2)
    dones, last = torch.tensor([[False], [False]]), torch.randn(1)
    expected, _ = generalized_advantages(rollout(rewards, values, dones, last), 0.9, 0.7)
    filling = torch.full((2, 1, 1), 9.0)
    mask = torch.tensor([True, True, False]).expand(2, 1, 3)
    filled = rollout(torch.cat([rewards, filling], 2), torch.cat([values, filling], 2), dones, last, mask)
    advantages, _ = generalized_advantages(filled, 0.9, 0.7)
    assert torch.allclose(advantages[:, :2], expected)
    assert advantages[:, 2].tolist() == [0, 0]


def test_groups_are_compared_with_themselves_alone():
    returns = torch.tensor([1.0, 2.0, 6.0, 5.0, 5.0, 5.0])
    assert leave_one_out(returns, 3).tolist() == [-3.0, -1.5, 4.5, 0.0, 0.0, 0.0]
    normalized = group_relative(returns, 3)
    assert torch.allclose(normalized[:3].std(), torch.tensor(1.0), atol=1e-3)
    assert normalized[3:].tolist() == [0.0, 0.0, 0.0]


def test_first_episodes_leave_out_what_came_after():
    rewards = torch.tensor([[[1.0], [1.0]], [[2.0], [2.0]], [[4.0], [4.0]]])
    dones = torch.tensor([[True, False], [False, False], [True, True]])
    first, environment, returns = first_episodes(rollout(rewards, 0 * rewards, dones, torch.zeros(2)))
    assert environment.tolist() == [0, 1, 1, 1]
    assert returns.tolist() == [1.0, 7.0]
    assert first.rewards[:, 0].tolist() == [1.0, 1.0, 2.0, 4.0]


def test_an_episode_without_an_end_is_named():
    rewards = torch.ones(2, 1, 1)
    with pytest.raises(SteerError, match=r"did not end within 2 steps; raise rl\.n_steps"):
        first_episodes(rollout(rewards, rewards, torch.zeros(2, 1, dtype=torch.bool), torch.zeros(1)))


def test_a_pair_of_returns_lies_half_a_difference_over_its_deviation_from_its_mean():
    # Mean 2, deviation (of a sample) sqrt(2), softened by 1e-4.
    expected = 1 / (2**0.5 + 1e-4)
    assert group_relative(torch.tensor([1.0, 3.0]), 2).tolist() == pytest.approx([-expected, expected], abs=1e-6)


def test_advantages_are_normalized_by_the_picks_that_were_made():
    advantages = torch.tensor([[1.0, 99.0], [3.0, 5.0]])
    mask = torch.tensor([[True, False], [True, True]])
    assert normalize_advantages(advantages, mask)[mask].tolist() == pytest.approx([-1.0, 0.0, 1.0])
    pair = normalize_advantages(torch.tensor([[2.0, 4.0]]), torch.tensor([[True, True]]))
    assert pair.tolist() == [pytest.approx([-(0.5**0.5), 0.5**0.5])]
    equal = torch.full((2, 1), 4.0)
    assert normalize_advantages(equal, equal > 0).tolist() == [[0.0], [0.0]]


def test_what_is_computed_in_double_precision_is_told_in_that_of_the_rewards():
    returns = torch.tensor([1.0, 3.0])
    pair = returns[None]
    assert normalize_advantages(pair, pair > 0).dtype == torch.float32
    assert leave_one_out(returns, 2).dtype == group_relative(returns, 2).dtype == torch.float32


def test_the_environment_of_each_row_is_known_in_a_rollout_of_several():
    rewards = torch.arange(6.0).reshape(2, 3, 1)
    dones = torch.tensor([[False, True, False], [True, True, True]])
    first, environment, returns = first_episodes(rollout(rewards, 0 * rewards, dones, torch.zeros(3)))
    assert environment.tolist() == [0, 1, 2, 0, 2]
    assert first.rewards[:, 0].tolist() == [0, 1, 2, 3, 5]
    assert returns.tolist() == [3, 1, 7]


def test_a_value_behind_the_end_of_an_episode_and_one_behind_a_time_limit_are_not_mixed_up():
    rewards, values = torch.ones(1, 3, 1), torch.full((1, 3, 1), 2.0)
    dones, final = torch.tensor([[True, True, False]]), torch.tensor([[0.0, 10.0, 0.0]])
    ended = rollout(rewards, values, dones, torch.full((3,), 20.0), final=final)
    advantages, returns = generalized_advantages(ended, 0.5, 0.9)
    assert advantages[:, 0].tolist() == [1 - 2, 1 + 5 - 2, 1 + 10 - 2]
    assert returns[:, 0].tolist() == [1, 6, 11]


def test_one_episode_without_an_end_is_enough_to_refuse_a_rollout():
    rewards = torch.ones(2, 2, 1)
    with pytest.raises(SteerError, match=r"longest episode of the task \(ppo, a2c and trpo can also go on"):
        first_episodes(rollout(rewards, rewards, torch.tensor([[True, False], [True, False]]), torch.zeros(2)))


@pytest.mark.parametrize("value", [0.1, -0.7, 1000.1, 3e6])
@pytest.mark.parametrize("rows", [3, 7, 1000])
def test_equal_returns_teach_nothing_whatever_their_size(value, rows):
    equal = torch.full((rows, 1), value)
    # In float32 the mean of a thousand times 0.1 is another number, and its distance looked like a deviation.
    assert normalize_advantages(equal, equal != 0).abs().max() < 1e-3
    assert group_relative(equal[:, 0], rows).abs().max() < 1e-3
    assert leave_one_out(equal[:, 0], rows).abs().max() < 1e-3 * abs(value)


def starts(column) -> Rollout:
    rewards = torch.zeros(1, 4, 1)
    begun = rollout(rewards, rewards, torch.ones(1, 4, dtype=torch.bool), torch.zeros(4))
    begun.observations = {"text": ("a", "a", "b", "b"), "numbers": column}
    return begun


def test_episodes_of_one_group_that_begin_in_unlike_states_are_refused():
    check_groups_begin_alike(starts(np.array([[0.0], [0.0], [1.0], [1.0]])), 2)
    check_groups_begin_alike(starts((np.array([1]), np.array([1]), np.array([1, 2]), np.array([1, 2]))), 2)
    remedy = "let the environment begin each row in one way alone, or set rl.algorithm=ppo$"
    with pytest.raises(
        SteerError, match=f"environments 2 and 3 try one first state, and show different 'numbers': {remedy}"
    ):
        check_groups_begin_alike(starts(np.array([[0.0], [0.0], [1.0], [2.0]])), 2)
    with pytest.raises(SteerError, match=r"environments 0 and 2 try one first state, and show different 'text'"):
        check_groups_begin_alike(starts(np.zeros((4, 1))), 4)
    remedy = "make as many environments as rl.n_envs says, or set rl.num_generations to a divisor$"
    with pytest.raises(SteerError, match=f"4 environments cannot be divided into groups of 3; {remedy}"):
        check_groups_begin_alike(starts(np.zeros((4, 1))), 3)
