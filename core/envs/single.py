"""One of our vector environments as a single `gymnasium.Env` with plain boxes, for Stable-Baselines3 and the like."""

from collections.abc import Mapping
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from transformers import PreTrainedTokenizerBase

from core.data.windows import window_of
from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations
from core.envs.slate import SlateEnv
from core.util.errors import SteerError


class ToBox(Protocol):
    """Turns one state's value of a column into an array of a box."""

    space: spaces.Box

    def __call__(self, value: Any) -> np.ndarray: ...


class TextToIds:
    """Token ids of a text, filled up and cut to a window as our encoders do.

    Args:
        tokenizer: Tokenizer of the policy's encoder.
        window: Number of tokens that are shown.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, window: int) -> None:
        self.tokenizer, self.window = tokenizer, window
        self.space = spaces.Box(0, len(tokenizer) - 1, (window,), np.int64)

    def __call__(self, value: str) -> np.ndarray:
        [ids] = window_of(self.tokenizer, [value], self.window)
        return np.array(ids + [self.tokenizer.pad_token_id] * (self.window - len(ids)), dtype=np.int64)


class LastTokens:
    """The last tokens of a sequence of ids, filled up in front.

    Args:
        vocabulary: Number of different tokens.
        window: Number of tokens that are shown.
        filling: Id that stands where there is no token.
    """

    def __init__(self, vocabulary: int, window: int, filling: int = 0) -> None:
        self.window, self.filling = window, filling
        self.space = spaces.Box(0, vocabulary - 1, (window,), np.int64)

    def __call__(self, value: np.ndarray) -> np.ndarray:
        last = np.asarray(value, dtype=np.int64)[-self.window :]
        return np.pad(last, (self.window - len(last), 0), constant_values=self.filling)


class SingleEnv(gym.Env):
    """The single environment of a vector of one.

    A list of different options becomes a box of scores, of which the highest are taken: frameworks that draw each
    position by itself would draw options twice.

    Args:
        env: Vector environment with `num_envs` of 1.
        columns: Converters of the columns that are no boxes, by name.

    Raises:
        SteerError: `env` runs several environments, or a column that is no box has no converter.
    """

    def __init__(self, env: EpisodeEnv, columns: Mapping[str, ToBox] | None = None) -> None:
        if env.num_envs != 1:
            raise SteerError(f"a single environment cannot show {env.num_envs} side by side; make it with num_envs=1")
        self.env, self.columns = env, dict(columns or {})
        self._begun = env._np_random is not None
        self._in_episode = False
        own: Any = env.single_observation_space
        missing = [
            name for name, space in own.items() if name not in self.columns and not isinstance(space, spaces.Box)
        ]
        if missing:
            raise SteerError(f"column {missing[0]!r} is no box; say in `columns` how it becomes one")
        boxes = {name: self.columns[name].space if name in self.columns else space for name, space in own.items()}
        self.observation_space = spaces.Dict(boxes)
        self.action_space = env.single_action_space
        if isinstance(env, SlateEnv):
            self.action_space = spaces.Box(-1.0, 1.0, (env.options,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Begin the next episode, or with a seed a fresh pass."""
        super().reset(seed=seed)
        if seed is not None or not self._begun:
            self.env.reset(seed=seed, options=options)
        elif self._in_episode:  # when one ends, the vector environment begins its next by itself
            self.env.begin_next(np.zeros(1, dtype=np.int64))
        self._begun, self._in_episode = True, False
        return self._shown(self.env.observe()), {}

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Act; after an end without a last state, the state shown is the next episode's first."""
        if isinstance(self.env, SlateEnv):
            picks = np.argsort(-np.asarray(action), kind="stable")[None, : self.env.picks]
        else:
            picks = np.asarray(action).reshape(1, -1)
        states, rewards, terminated, truncated, infos = self.env.step(picks)
        self._in_episode = not (terminated[0] or truncated[0])
        shown = self._shown(infos.get("final_observations", states))
        return shown, float(rewards[0]), bool(terminated[0]), bool(truncated[0]), {}

    def _shown(self, states: Observations) -> dict[str, np.ndarray]:
        return {
            name: self.columns[name](column[0]) if name in self.columns else np.asarray(column[0])
            for name, column in states.items()
        }
