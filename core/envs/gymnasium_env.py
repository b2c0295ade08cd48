"""Gymnasium's own environments as ours, with their numbers in the column `features`."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations
from core.util.errors import SteerError


class GymnasiumEnv(EpisodeEnv):
    """Several copies of a registered environment with vector states and discrete actions.

    Args:
        name: Name of the environment, as `gymnasium.make` takes it.
        num_envs: Number of copies side by side; each is an episode of its own number.
    """

    def __init__(self, name: str, num_envs: int) -> None:
        self.vector = gym.make_vec(
            name, num_envs, vectorization_mode="sync", vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP}
        )
        space: Any = self.vector.single_action_space
        super().__init__(num_envs, num_envs, int(space.n), shuffle=True)
        self.single_observation_space = gym.spaces.Dict({"features": self.vector.single_observation_space})
        self.observation_space = gym.spaces.Dict({"features": self.vector.observation_space})
        self.single_action_space, self.action_space = space, self.vector.action_space
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
        self._now, rewards, terminated, truncated, infos = self.vector.step(np.asarray(actions).reshape(-1))
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
