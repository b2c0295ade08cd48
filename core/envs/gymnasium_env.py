"""Gymnasium's own environments as ours, with their observations as numbers in the column `features`."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import FlattenObservation

from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations
from core.util.errors import SteerError


class GymnasiumEnv(EpisodeEnv):
    """Several copies of a registered environment with discrete actions.

    Its observations are flattened (`gymnasium.wrappers.FlattenObservation`): a table becomes a vector, a number of a
    few is one hot. Actions count from 0, wherever the environment's own begin.

    Args:
        name: Name of the environment, as `gymnasium.make` takes it.
        num_envs: Number of copies side by side; each is an episode of its own number.

    Raises:
        SteerError: There is no such environment, or its actions or observations are of another kind.
    """

    def __init__(self, name: str, num_envs: int) -> None:
        try:
            self.vector = gym.make_vec(
                name,
                num_envs,
                vectorization_mode="sync",
                vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
                wrappers=[FlattenObservation],
            )
        except gym.error.Error as error:
            raise SteerError(f"Gymnasium cannot make {name}: {error}") from error
        shown, done = self.vector.single_observation_space, self.vector.single_action_space
        if not isinstance(done, spaces.Discrete) or not isinstance(shown, spaces.Box):
            raise SteerError(
                f"{name} shows {shown} and takes {done}; take an environment of numbers and Discrete actions"
            )
        super().__init__(num_envs, num_envs, int(done.n), shuffle=True)
        self._first_action = int(done.start)
        self.set_spaces(
            spaces.Dict({"features": spaces.Box(shown.low, shown.high, dtype=np.float32)}), spaces.Discrete(done.n)
        )
        self.rows = np.arange(num_envs)
        self._now = np.zeros(0)

    @property
    def features(self) -> int:
        """Length of a state."""
        return int(np.prod(self.vector.single_observation_space.shape or ()))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin new episodes everywhere; equal seeds give equal ones.

        Raises:
            SteerError: Several tries of each first state are asked for; Gymnasium cannot begin anew where it was.
        """
        if (options or {}).get("repeat", 1) > 1:
            raise SteerError("an environment of Gymnasium never begins twice in one state: take ppo, a2c or trpo")
        self._now, _ = self.vector.reset(seed=seed)
        return self.observe(), {"episode": self.rows.copy()}

    def step(self, actions: np.ndarray) -> tuple[Observations, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Act in every copy; `infos["final_observations"]` holds the last state of episodes that are over."""
        own_actions = self.checked_actions(actions)[:, 0] + self._first_action
        self._now, rewards, terminated, truncated, infos = self.vector.step(own_actions)
        self.check_rewards(rewards)
        last = np.array(self._now, dtype=np.float32)
        for slot in np.flatnonzero(terminated | truncated):
            last[slot] = infos["final_obs"][slot]
        own = {"episode": self.rows.copy(), "final_observations": {"features": last}}
        return self.observe(), rewards.astype(np.float32), terminated, truncated, own

    def begin(self, slots: np.ndarray) -> None:
        self._now, _ = self.vector.reset(options={"reset_mask": np.isin(np.arange(self.num_envs), slots)})

    def observe(self) -> Observations:
        return {"features": np.asarray(self._now, dtype=np.float32)}

    def act(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        raise NotImplementedError("the copies step by themselves")
