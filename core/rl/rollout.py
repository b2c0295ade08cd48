"""What a policy did and what came of it, and how much better that was than expected."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from core.rl.algorithm import NOT_BY_ROW, Batch
from core.util.errors import SteerError


@dataclass
class Rollout(Batch):
    """Rows of experience; a row is one state and the picks made in it (1 for a choice, more for a list or a text).

    Rows stand step by step: row `t * n_envs + e` is step `t` of environment `e`.

    Attributes:
        actions: Picks of each row, int64 of shape (rows, picks).
        mask: Whether each pick was made, bool of shape (rows, picks); false for the filling behind a text's end.
        log_probs: Log-probability of each pick when it was made, float32 of shape (rows, picks).
        values: Return that the critic expected from each pick on, float32 of shape (rows, picks).
        rewards: Reward of each pick, float32 of shape (rows, picks).
        dones: Whether the episode ended with the row, bool of shape (rows,).
        final_values: Value of the state in which a time limit cut the episode off, float32 of shape (rows,); 0 in all
            other rows.
        last_values: Value of the states after the last step, float32 of shape (n_envs,); 0 where all episodes ended.
        episode_returns: Undiscounted returns of the episodes that ended, float64 of shape (episodes,).
        advantages: Advantage of each pick over what was expected, (rows, picks); an algorithm fills it in.
        returns: Returns that the critic should have expected, (rows, picks); an algorithm fills it in.
        reference: Log-probabilities of the reference policy, see `Policy.log_probs_for_kl`; None without one.
    """

    actions: Tensor
    mask: Tensor
    log_probs: Tensor
    values: Tensor
    rewards: Tensor
    dones: Tensor
    final_values: Tensor
    last_values: Tensor = field(metadata=NOT_BY_ROW)
    episode_returns: np.ndarray = field(metadata=NOT_BY_ROW)
    advantages: Tensor
    returns: Tensor
    reference: Tensor | None = None

    @property
    def n_envs(self) -> int:
        """Number of environments that ran side by side."""
        return len(self.last_values)


def generalized_advantages(rollout: Rollout, gamma: float, gae_lambda: float) -> tuple[Tensor, Tensor]:
    """Generalized advantage estimation (Schulman et al. 2016, equation 16).

    The picks within a state are steps in time like the states themselves, so a list's positions, a text's tokens and a
    dialogue's turns are one and the same to every algorithm. An episode that was cut off, rather than ended, counts
    what the critic expects of its last state (Pardo et al. 2018).

    Args:
        rollout: Whole steps of all environments.
        gamma: Discount factor from pick to pick.
        gae_lambda: Trade-off: 0 for one-step errors (low variance), 1 for whole returns (no bias).

    Returns:
        Advantages and returns (advantages + values), float32 of shape (rows, picks).
    """
    n_envs, picks = rollout.n_envs, rollout.actions.shape[1]
    shape = (len(rollout) // n_envs, n_envs, picks)
    rewards, values, mask = (part.reshape(shape) for part in (rollout.rewards, rollout.values, rollout.mask))
    dones, final_values = (part.reshape(shape[:2]) for part in (rollout.dones, rollout.final_values))
    advantages = torch.zeros(shape)
    next_value, last_gae_lam = rollout.last_values, torch.zeros(n_envs)
    for t in reversed(range(len(advantages))):
        # Behind the end of an episode stands another one, of which this one must not know.
        next_non_terminal = (~dones[t]).float()
        next_value = next_value * next_non_terminal + final_values[t]
        last_gae_lam = last_gae_lam * next_non_terminal
        for pick in reversed(range(picks)):
            delta = rewards[t, :, pick] + gamma * next_value - values[t, :, pick]
            # What fills a row up behind the end of a short text lets time pass through.
            last_gae_lam = torch.where(mask[t, :, pick], delta + gamma * gae_lambda * last_gae_lam, last_gae_lam)
            next_value = torch.where(mask[t, :, pick], values[t, :, pick], next_value)
            advantages[t, :, pick] = last_gae_lam * mask[t, :, pick]
    flat = advantages.reshape(-1, picks)
    return flat, flat + rollout.values


def normalize_advantages(advantages: Tensor, mask: Tensor) -> Tensor:
    """Advantages with mean 0 and deviation 1; a single one is left as it is.

    Over the whole rollout, not the batch: batches are bucketed by length, and short texts differ from long ones.

    Args:
        advantages: Advantage of each pick, float32 of shape (rows, picks).
        mask: Whether each pick was made, bool of shape (rows, picks).
    """
    picked = advantages[mask].double()  # in float32 the mean of equal numbers may be another number
    if len(picked) < 2:
        return advantages
    return ((advantages - picked.mean()) / (picked.std() + 1e-8)).to(advantages.dtype)


def first_episodes(rollout: Rollout) -> tuple[Rollout, np.ndarray, Tensor]:
    """The first episode of every environment, for algorithms that judge episodes as wholes.

    Returns:
        Its rows, the environment of each row, and the episodes' returns, float32 of shape (n_envs,).

    Raises:
        SteerError: An episode has not ended within the rollout.
    """
    n_envs = rollout.n_envs
    dones = rollout.dones.reshape(-1, n_envs)
    check_first_episodes_end(rollout)
    within = torch.cat([torch.ones(1, n_envs, dtype=torch.bool), dones.cumsum(0)[:-1] == 0])
    returns = (rollout.rewards.sum(1).reshape(-1, n_envs) * within).sum(0)
    rows = np.flatnonzero(within.reshape(-1).numpy())
    return rollout.rows(rows), rows % n_envs, returns


def check_first_episodes_end(rollout: Rollout) -> None:
    """Refuse a rollout of new episodes that is too short for them: what comes later would never be learnt from.

    Raises:
        SteerError: The first episode of an environment has not ended within the rollout.
    """
    dones = rollout.dones.reshape(-1, rollout.n_envs)
    if not dones.any(0).all():
        raise SteerError(
            f"an episode did not end within {len(dones)} steps; raise rl.n_steps to the longest episode of the task "
            "(ppo, a2c and trpo can also go on from rollout to rollout: rl.fresh_episodes=false)"
        )


def check_groups_begin_alike(rollout: Rollout, group: int) -> None:
    """Refuse episodes that began in unlike states: the better start would pass for the better answer.

    Args:
        rollout: Rollout of new episodes, groups of environments one after the other.
        group: Number of episodes of the same first state.

    Raises:
        SteerError: The environments are no whole groups, or two of one group began in different states.
    """
    if rollout.n_envs % group:
        raise SteerError(
            f"{rollout.n_envs} environments cannot be divided into groups of {group}; make as many environments as "
            "rl.n_envs says, or set rl.num_generations to a divisor"
        )
    firsts = np.arange(rollout.n_envs) // group * group
    for name, column in rollout.observations.items():
        for at, first in enumerate(firsts.tolist()):
            if not np.array_equal(column[at], column[first]):
                raise SteerError(
                    f"environments {first} and {at} try one first state, and show different {name!r}: let the "
                    "environment begin each row in one way alone, or set rl.algorithm=ppo"
                )


def leave_one_out(returns: Tensor, group: int) -> Tensor:
    """Each return minus the mean of the others of its group (Kool et al. 2019; Ahmadian et al. 2024, equation 7).

    Args:
        returns: Returns of groups one after the other, shape (groups * group,).
        group: Number of episodes of the same first state.
    """
    by_group = returns.double().reshape(-1, group)
    others = (by_group.sum(1, keepdim=True) - by_group) / (group - 1)
    return (by_group - others).reshape(-1).to(returns.dtype)


def group_relative(returns: Tensor, group: int) -> Tensor:
    """Each return's distance from its group's mean in standard deviations (Shao et al. 2024, section 4.1.2).

    Args:
        returns: Returns of groups one after the other, shape (groups * group,).
        group: Number of episodes of the same first state.
    """
    by_group = returns.double().reshape(-1, group)
    normalized = (by_group - by_group.mean(1, keepdim=True)) / (by_group.std(1, keepdim=True) + 1e-4)
    return normalized.reshape(-1).to(returns.dtype)
