"""How much better than expected each pick turned out."""

import torch
from torch import Tensor


def generalized_advantages(
    rewards: Tensor, values: Tensor, ends: Tensor, last_values: Tensor, gamma: float, gae_lambda: float
) -> tuple[Tensor, Tensor]:
    """Generalized advantage estimation (Schulman et al. 2016, equation 16).

    The picks within a state are steps in time like the states themselves, so a list's positions, a text's tokens and a
    dialogue's turns are one and the same to every algorithm.

    Args:
        rewards: of each pick, shape (steps, environments, picks).
        values: expected of each pick, shape (steps, environments, picks).
        ends: whether the episode ended with the step, shape (steps, environments).
        last_values: value of the state after the last step, shape (environments,).
        gamma: discount from pick to pick.
        gae_lambda: 0 for one-step errors (low variance), 1 for whole returns (no bias).

    Returns:
        Advantages and returns (advantages + values), shape (steps, environments, picks).
    """
    steps, environments, picks = rewards.shape
    flat_rewards = rewards.permute(0, 2, 1).reshape(steps * picks, environments)
    flat_values = values.permute(0, 2, 1).reshape(steps * picks, environments)
    going_on = torch.ones(steps, picks, environments)
    going_on[:, -1] = 1.0 - ends.float()
    going_on = going_on.reshape(steps * picks, environments)
    advantages = torch.zeros_like(flat_rewards)
    following, carried = last_values, torch.zeros(environments)
    for t in reversed(range(steps * picks)):
        error = flat_rewards[t] + gamma * following * going_on[t] - flat_values[t]
        carried = error + gamma * gae_lambda * going_on[t] * carried
        advantages[t], following = carried, flat_values[t]
    returns = advantages + flat_values
    shape = (steps, picks, environments)
    return advantages.reshape(shape).permute(0, 2, 1), returns.reshape(shape).permute(0, 2, 1)
