"""One list of options, judged position by position."""

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces

from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations, count, take
from core.util.errors import SteerError

PickRewards = Callable[[np.ndarray, np.ndarray], np.ndarray]
Outcomes = Callable[[np.ndarray, np.ndarray], list[str]]


class SlateEnv(EpisodeEnv):
    """The state is whatever `states` holds, the action a list of different options, and one list ends the episode.

    `infos["pick_rewards"]` (environments, picks) splits the list's reward over its positions, so that an algorithm can
    credit each pick with what came of it and of the picks after it.

    Args:
        states: State of each episode.
        space: Space of one state.
        options: Number of options that a list can be made of.
        picks: Length of a list.
        reward_fn: Function from episodes (n,) and lists (n, picks) to the reward of each position, float32 of shape
            (n, picks).
        num_envs: Number of environments side by side.
        shuffle: Whether episodes come in a random order.
        outcomes: Function from the same arguments to a name of what came of each list.
    """

    def __init__(
        self,
        states: Observations,
        space: spaces.Dict,
        *,
        options: int,
        picks: int,
        reward_fn: PickRewards,
        num_envs: int,
        shuffle: bool,
        outcomes: Outcomes | None = None,
    ) -> None:
        if not 1 <= picks <= options:
            raise SteerError(f"a list of {picks} different picks cannot be made of {options} options")
        super().__init__(num_envs, count(states), options, shuffle=shuffle)
        self.states, self.picks, self.reward_fn, self.outcomes = states, picks, reward_fn, outcomes
        self.set_spaces(space, spaces.MultiDiscrete([options] * picks))

    def begin(self, slots: np.ndarray) -> None:
        """The row says everything."""

    def observe(self) -> Observations:
        return take(self.states, self.rows)

    def act(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        if actions.shape[1] != self.picks:
            raise SteerError(f"a list here has {self.picks} picks, and {actions.shape[1]} were made")
        if (np.diff(np.sort(actions, axis=1), axis=1) == 0).any():
            raise SteerError("a list holds the same option twice; draw its picks without replacement")
        pick_rewards = self.reward_fn(self.rows, actions)
        infos: dict[str, Any] = {"pick_rewards": pick_rewards}
        if self.outcomes is not None:
            infos["outcome"] = self.outcomes(self.rows, actions)
        return pick_rewards.sum(axis=1), np.ones(self.num_envs, dtype=bool), infos
