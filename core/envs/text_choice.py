"""One decision about one text."""

from typing import Any

import numpy as np
from gymnasium import spaces

from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations, take
from core.envs.text_space import text_space
from core.util.errors import SteerError


class TextChoiceEnv(EpisodeEnv):
    """A contextual bandit: the state is a text, the reward of each action is known to the environment.

    Args:
        texts: Text of each episode.
        rewards: Reward of each action, float32 of shape (episodes, actions).
        num_envs: Number of environments side by side.
        shuffle: Whether episodes come in a random order.

    Raises:
        SteerError: There are not as many texts as rows of rewards.
    """

    def __init__(self, texts: list[str], rewards: np.ndarray, num_envs: int, *, shuffle: bool) -> None:
        if len(texts) != len(rewards):
            raise SteerError(f"there are {len(texts)} texts, and rewards for {len(rewards)}; each text needs its row")
        super().__init__(num_envs, len(texts), rewards.shape[1], shuffle=shuffle)
        self.states: Observations = {"text": tuple(texts)}
        self.rewards = rewards
        self.set_spaces(spaces.Dict({"text": text_space()}), spaces.Discrete(rewards.shape[1]))

    def begin(self, slots: np.ndarray) -> None:
        """The row says everything."""

    def observe(self) -> Observations:
        return take(self.states, self.rows)

    def act(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        return self.rewards[self.rows, actions[:, 0]], np.ones(self.num_envs, dtype=bool), {}


def with_abstain(rewards: np.ndarray, reward: float = 0.0) -> np.ndarray:
    """Rewards with one more action at the end: to abstain, and leave the decision to a person.

    Args:
        rewards: Reward of each other action, float32 of shape (episodes, actions).
        reward: Reward of abstaining.
    """
    return np.concatenate([rewards, np.full((len(rewards), 1), reward, dtype=np.float32)], axis=1)
