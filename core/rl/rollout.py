"""What every algorithm reads: states, what was done in them, and what came of it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations, join, take
from core.models.policy import Policy


@dataclass
class Rollout:
    """Rows of experience; a row is one state and the picks made in it (1 for a choice, more for a list or a text).

    Rows stand step by step: row `t * environments + e` is step `t` of environment `e`.

    Attributes:
        observations: the states.
        actions: int64 of shape (rows, picks).
        made: false for the filling behind a text's end, bool of shape (rows, picks).
        log_probs: of each pick when it was made, float32 of shape (rows, picks).
        values: expected from each pick on when it was made, float32 of shape (rows, picks).
        rewards: of each pick, float32 of shape (rows, picks).
        ends: whether the episode ended with the row, bool of shape (rows,).
        last_values: of the states after the last step, float32 of shape (environments,); 0 where all episodes ended.
        episode_returns: undiscounted returns of the episodes that ended.
        advantages: how much better than expected each pick turned out, (rows, picks); an algorithm fills it in.
        returns: what the critic should have expected, (rows, picks); an algorithm fills it in.
        reference: log-probabilities under the reference policy, see `Policy.log_probs_for_kl`; None without one.
    """

    observations: Observations
    actions: Tensor
    made: Tensor
    log_probs: Tensor
    values: Tensor
    rewards: Tensor
    ends: Tensor
    last_values: Tensor
    episode_returns: np.ndarray
    advantages: Tensor
    returns: Tensor
    reference: Tensor | None = None

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def environments(self) -> int:
        """Environments side by side."""
        return len(self.last_values)

    def rows(self, at: np.ndarray) -> "Rollout":
        """Some of the rows, for a batch; they need not be whole steps any more."""
        return Rollout(
            take(self.observations, at),
            self.actions[at],
            self.made[at],
            self.log_probs[at],
            self.values[at],
            self.rewards[at],
            self.ends[at],
            self.last_values,
            self.episode_returns,
            self.advantages[at],
            self.returns[at],
            None if self.reference is None else self.reference[at],
        )


@torch.no_grad()
def collect(
    policy: Policy,
    env: EpisodeEnv,
    *,
    steps: int,
    seed: int,
    gamma: float,
    begin: Observations,
    so_far: np.ndarray | None = None,
) -> Rollout:
    """Let `policy` act for `steps` steps in every environment.

    An episode that was cut off, rather than ended, counts what the critic expects of its last state (Pardo et al.
    2018).

    Args:
        policy: acts by sampling.
        env: has been reset, or goes on from an earlier rollout.
        steps: of each environment.
        seed: of the sampling.
        gamma: discount.
        begin: the environments' present states.
        so_far: undiscounted returns of the episodes that go on from an earlier rollout, float64 of shape
            (environments,); brought up to date in place.
    """
    policy.eval()
    generator = torch.Generator(device=policy.device).manual_seed(seed)
    observations, states, acts, rewards, ends = begin, [], [], [], []
    running = np.zeros(env.num_envs) if so_far is None else so_far
    episode_returns: list[float] = []
    for _ in range(steps):
        acted = policy.act(observations, generator)
        states.append(observations)
        acts.append(acted)
        observations, reward, ended, cut, infos = env.step(acted.actions.numpy())
        pick_rewards = infos["pick_rewards"] if "pick_rewards" in infos else _at_last_pick(reward, acted.made)
        pick_rewards = torch.as_tensor(pick_rewards, dtype=torch.float32)
        if cut.any():
            pick_rewards[cut, -1] += gamma * _values(
                policy, take(infos["final_observations"], np.flatnonzero(cut)), seed
            )
        rewards.append(pick_rewards)
        over = ended | cut
        ends.append(torch.as_tensor(over))
        running += reward
        episode_returns += running[over].tolist()
        running[over] = 0
    widest = max(acted.actions.shape[1] for acted in acts)
    values = _stack([acted.values for acted in acts], widest)
    return Rollout(
        join(states),
        _stack([acted.actions for acted in acts], widest),
        _stack([acted.made for acted in acts], widest),
        _stack([acted.log_probs for acted in acts], widest),
        values,
        _stack(rewards, widest),
        torch.cat(ends),
        # Behind the end of an episode nothing is expected, and asking would cost a forward pass, or a whole text.
        torch.zeros(env.num_envs) if ends[-1].all() else _values(policy, observations, seed),
        np.array(episode_returns),
        torch.zeros_like(values),
        torch.zeros_like(values),
    )


def _values(policy: Policy, observations: Observations, seed: int) -> Tensor:
    """Value of each state, float32 of shape (states,)."""
    return policy.act(observations, torch.Generator(device=policy.device).manual_seed(seed)).values[:, 0]


def _at_last_pick(reward: np.ndarray, made: Tensor) -> Tensor:
    """The reward of a whole action, given to the last pick that was made."""
    rewards = torch.zeros(made.shape)
    rewards[torch.arange(len(made)), made.sum(1) - 1] = torch.as_tensor(reward, dtype=torch.float32)
    return rewards


def _stack(parts: list[Tensor], picks: int) -> Tensor:
    """All rows, filled up with zeros to the same number of picks."""
    return torch.cat([torch.nn.functional.pad(part, (0, picks - part.shape[1])) for part in parts])
