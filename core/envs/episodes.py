"""A vector environment whose episodes come from rows of a data set."""

from abc import abstractmethod
from typing import Any

import numpy as np
from gymnasium import Space, spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from core.envs.observations import Observations
from core.util.errors import SteerError


class EpisodeEnv(VectorEnv):
    """Runs one episode for each row of a data set, several side by side.

    Follows Gymnasium's `VectorEnv` with same-step autoreset: an environment whose episode ended shows the first state
    of its next one at once. With `shuffle`, rows come in a new random order in each pass; without, in order, so that
    one pass visits each exactly once. `infos["episode"]` says which row each environment acted in.

    Args:
        num_envs: Number of environments side by side.
        episodes: Number of rows in the data set.
        options: Number of different picks.
        shuffle: Whether episodes come in a random order (training) or one after the other (evaluation).
    """

    def __init__(self, num_envs: int, episodes: int, options: int, *, shuffle: bool) -> None:
        if episodes == 0:
            raise SteerError("an environment needs at least one episode, and its data set is empty")
        self.num_envs, self.episodes, self.options, self.shuffle = num_envs, episodes, options, shuffle
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.rows = np.zeros(num_envs, dtype=np.int64)
        self._queue: list[int] = []
        self._repeat = 1

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin a fresh pass; equal seeds give equal passes.

        Args:
            seed: Seed of the order of the rows, and of the environment's own chance.
            options: Gymnasium's options; `repeat` is the number of environments side by side that run each row, for
                algorithms that compare them.
        """
        super().reset(seed=seed, options=options)
        self._queue, self._repeat = [], (options or {}).get("repeat", 1)
        self.begin_next(np.arange(self.num_envs))
        return self.observe(), {"episode": self.rows.copy()}

    def step(self, actions: np.ndarray) -> tuple[Observations, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Act in every environment.

        Args:
            actions: Picks in each environment, int64 of shape (environments, picks).

        Returns:
            States, rewards (float32), terminated, truncated (always false) and infos.

        Raises:
            SteerError: An action outside the action space, or a reward that is not finite.
        """
        rewards, terminated, infos = self.act(self.checked_actions(actions))
        self.check_rewards(rewards)
        self.check_rewards(infos.get("pick_rewards", rewards))
        infos["episode"] = self.rows.copy()
        self.begin_next(np.flatnonzero(terminated))
        return self.observe(), rewards.astype(np.float32), terminated, np.zeros_like(terminated), infos

    @abstractmethod
    def begin(self, slots: np.ndarray) -> None:
        """Start the episodes of `self.rows[slots]` in the environments `slots`."""

    @abstractmethod
    def observe(self) -> Observations:
        """The current state of every environment."""

    @abstractmethod
    def act(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        """Carry out `actions` (environments, picks): rewards, which episodes terminated, infos.

        `infos["pick_rewards"]` (environments, picks) may split a list's reward over its positions.
        """

    def set_spaces(self, observation: spaces.Dict, action: Space) -> None:
        """Say what one environment shows, and what can be done in it; `num_envs` of them stand side by side."""
        self.single_observation_space, self.single_action_space = observation, action
        self.observation_space = batch_space(observation, self.num_envs)
        self.action_space = batch_space(action, self.num_envs)

    def checked_actions(self, actions: np.ndarray) -> np.ndarray:
        """Picks as int64 of shape (environments, picks), if all of them are in the action space."""
        actions = np.asarray(actions).reshape(self.num_envs, -1)
        low, high = actions.min(), actions.max()
        if low < 0 or high >= self.options:
            raise SteerError(f"actions {low}..{high} are outside the action space 0..{self.options - 1}")
        return actions

    def check_rewards(self, rewards: np.ndarray) -> None:
        """Refuse rewards, of shape (environments,) or (environments, picks), that are not finite."""
        wrong = np.argwhere(~np.isfinite(rewards))
        if len(wrong):
            row = self.rows[wrong[0, 0]]
            raise SteerError(f"the reward of episode {row} is not a finite number; check the reward function")

    def begin_next(self, slots: np.ndarray) -> None:
        """Start the next episodes of the data set in the environments `slots`, whatever they were in."""
        if not len(slots):
            return
        while len(self._queue) < len(slots):
            fresh = self.np_random.permutation(self.episodes) if self.shuffle else np.arange(self.episodes)
            self._queue += fresh.repeat(self._repeat).tolist()
        self.rows[slots], self._queue = self._queue[: len(slots)], self._queue[len(slots) :]
        self.begin(slots)
