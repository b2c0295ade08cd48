"""How much better than expected each pick turned out."""

import numpy as np
import torch
from torch import Tensor

from core.rl.rollout import Rollout
from core.util.errors import SteerError


def generalized_advantages(rollout: Rollout, gamma: float, gae_lambda: float) -> tuple[Tensor, Tensor]:
    """Generalized advantage estimation (Schulman et al. 2016, equation 16).

    The picks within a state are steps in time like the states themselves, so a list's positions, a text's tokens and a
    dialogue's turns are one and the same to every algorithm.

    Args:
        rollout: whole steps of all environments.
        gamma: discount from pick to pick.
        gae_lambda: 0 for one-step errors (low variance), 1 for whole returns (no bias).

    Returns:
        Advantages and returns (advantages + values), shape (rows, picks).
    """
    environments, picks = rollout.environments, rollout.actions.shape[1]
    by_step = (len(rollout) // environments, environments, picks)
    rewards, values, made = (part.reshape(by_step) for part in (rollout.rewards, rollout.values, rollout.made))
    ends = rollout.ends.reshape(by_step[:2])
    advantages = torch.zeros(by_step)
    following, carried = rollout.last_values, torch.zeros(environments)
    for t in reversed(range(by_step[0])):
        going_on = (~ends[t]).float()
        following, carried = following * going_on, carried * going_on
        for pick in reversed(range(picks)):
            error = rewards[t, :, pick] + gamma * following - values[t, :, pick]
            # What fills a row up behind the end of a short text lets time pass through.
            carried = torch.where(made[t, :, pick], error + gamma * gae_lambda * carried, carried)
            following = torch.where(made[t, :, pick], values[t, :, pick], following)
            advantages[t, :, pick] = carried * made[t, :, pick]
    flat = advantages.reshape(-1, picks)
    return flat, flat + rollout.values


def first_episodes(rollout: Rollout) -> tuple[Rollout, np.ndarray, Tensor]:
    """The first episode of every environment, for algorithms that judge episodes as wholes.

    Returns:
        Its rows, the environment of each row, and the episodes' returns, float32 of shape (environments,).

    Raises:
        SteerError: an episode has not ended within the rollout.
    """
    environments = rollout.environments
    ends = rollout.ends.reshape(-1, environments)
    if not ends.any(0).all():
        raise SteerError(
            f"an episode did not end within {len(ends)} steps; raise rl.steps to the longest episode of the task"
        )
    within = torch.cat([torch.ones(1, environments, dtype=torch.bool), ends.cumsum(0)[:-1] == 0])
    returns = (rollout.rewards.sum(1).reshape(-1, environments) * within).sum(0)
    rows = np.flatnonzero(within.reshape(-1).numpy())
    return rollout.rows(rows), rows % environments, returns


def leave_one_out(returns: Tensor, group: int) -> Tensor:
    """Each return minus the mean of the others of its group (Kool et al. 2019; Ahmadian et al. 2024, equation 7).

    Args:
        returns: groups one after the other, shape (groups * group,).
        group: episodes of the same first state.
    """
    by_group = returns.reshape(-1, group)
    others = (by_group.sum(1, keepdim=True) - by_group) / (group - 1)
    return (by_group - others).reshape(-1)


def group_relative(returns: Tensor, group: int) -> Tensor:
    """Each return's distance from its group's mean in standard deviations (Shao et al. 2024, section 4.1.2).

    Args:
        returns: groups one after the other, shape (groups * group,).
        group: episodes of the same first state.
    """
    by_group = returns.reshape(-1, group)
    return ((by_group - by_group.mean(1, keepdim=True)) / (by_group.std(1, keepdim=True) + 1e-4)).reshape(-1)
