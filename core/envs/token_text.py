"""A text, written token by token."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations
from core.util.errors import SteerError

TextReward = Callable[[np.ndarray, list[np.ndarray]], np.ndarray]


class TokenTextEnv(EpisodeEnv):
    """The state is a prompt with what has been written behind it, an action one token or several, in a row.

    A policy that looks at every state writes one token a step; a language model writes the whole text in one step. An
    episode ends with the end token or with `max_new_tokens`; tokens behind the end token are filling.
    `infos["pick_rewards"]` gives the text's reward to its last token.

    Args:
        prompts: Token ids of each episode's prompt; none may be empty.
        vocabulary: Number of different tokens.
        end: Token that ends a text.
        max_new_tokens: Length of the longest text, in tokens.
        reward: Function from episodes (n,) and their texts (without prompt, with the end token) to rewards, float32 of
            shape (n,).
        num_envs: Number of environments side by side.
        shuffle: Whether episodes come in a random order.

    Raises:
        SteerError: A prompt is empty, or `max_new_tokens` leaves no token.
    """

    def __init__(
        self,
        prompts: Sequence[np.ndarray],
        *,
        vocabulary: int,
        end: int,
        max_new_tokens: int,
        reward: TextReward,
        num_envs: int,
        shuffle: bool,
    ) -> None:
        super().__init__(num_envs, len(prompts), vocabulary, shuffle=shuffle)
        if max_new_tokens < 1:
            raise SteerError(f"a text of {max_new_tokens} tokens never ends; set max_new_tokens to 1 at least")
        empty = [row for row, prompt in enumerate(prompts) if not len(prompt)]
        if empty:
            raise SteerError(f"prompt {empty[0]} is empty; a text needs at least one token to begin behind")
        self.prompts = [np.asarray(prompt, dtype=np.int64) for prompt in prompts]
        self.end, self.max_new_tokens, self.reward = end, max_new_tokens, reward
        self.written: list[list[int]] = [[] for _ in range(num_envs)]
        tokens = spaces.Sequence(spaces.Discrete(vocabulary), stack=True)
        self.set_spaces(spaces.Dict({"tokens": tokens}), spaces.Discrete(vocabulary))

    def begin(self, slots: np.ndarray) -> None:
        for slot in slots:
            self.written[slot] = []

    def observe(self) -> Observations:
        texts = zip(self.rows, self.written, strict=True)
        return {"tokens": tuple(np.array([*self.prompts[row], *written]) for row, written in texts)}

    def act(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        ended = np.zeros(self.num_envs, dtype=bool)
        last = np.zeros(self.num_envs, dtype=np.int64)
        for slot, tokens in enumerate(actions):
            for at, token in enumerate(tokens):
                self.written[slot].append(int(token))
                last[slot] = at
                ended[slot] = token == self.end or len(self.written[slot]) == self.max_new_tokens
                if ended[slot]:
                    break
        rewards = np.zeros(self.num_envs, dtype=np.float32)
        done = np.flatnonzero(ended)
        if len(done):
            rewards[done] = self.reward(self.rows[done], [np.array(self.written[slot]) for slot in done])
        pick_rewards = np.zeros(actions.shape, dtype=np.float32)
        pick_rewards[np.arange(self.num_envs), last] = rewards
        return rewards, ended, {"pick_rewards": pick_rewards}
