"""Play every episode of an environment once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations, take

Act = Callable[[Observations], np.ndarray]


@dataclass
class Played:
    """What came of one pass over a split.

    Attributes:
        returns: Undiscounted return of each episode, float64 of shape (episodes,).
        steps: Number of decisions in each episode, int64 of shape (episodes,).
        outcomes: `infos["outcome"]` of each episode's last step ("" where the environment names none).
    """

    returns: np.ndarray
    steps: np.ndarray
    outcomes: list[str]


def play(env: EpisodeEnv, act: Act, *, seed: int = 0) -> Played:
    """Let `act` decide until each of the environment's episodes has ended once, or was cut off.

    Args:
        env: Environment whose episodes come one after the other (`shuffle=False`).
        act: Function from states to actions, int64 of shape (states, picks).
        seed: Seed of the environment's own chance.
    """
    returns, steps = np.zeros(env.episodes), np.zeros(env.episodes, dtype=np.int64)
    outcomes = [""] * env.episodes
    done = np.zeros(env.episodes, dtype=bool)
    observations, _ = env.reset(seed=seed)
    # An environment may start an episode a second time before the last has ended: such repeats are not counted, and
    # nobody thinks about what to do in them.
    owner = np.full(env.episodes, -1)
    while not done.all():
        slots = np.arange(env.num_envs)
        for slot, row in zip(slots, env.rows, strict=True):
            if owner[row] == -1:
                owner[row] = slot
        counting = np.flatnonzero((owner[env.rows] == slots) & ~done[env.rows])
        decided = act(take(observations, counting))
        actions = decided[:1].repeat(env.num_envs, axis=0)
        actions[counting] = decided
        observations, rewards, terminated, truncated, infos = env.step(actions)
        rows = infos["episode"]
        counted = (owner[rows] == slots) & ~done[rows]
        np.add.at(returns, rows[counted], rewards[counted])
        np.add.at(steps, rows[counted], 1)
        for slot in np.flatnonzero(counted & (terminated | truncated)):
            done[rows[slot]] = True
            outcomes[rows[slot]] = infos["outcome"][slot] if "outcome" in infos else ""
    return Played(returns, steps, outcomes)
