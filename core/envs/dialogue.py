"""A conversation of several turns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations
from core.envs.text_space import MAX_CHARACTERS, text_space
from core.util.errors import SteerError


@dataclass(frozen=True)
class Reply:
    """What the other side does after a turn.

    Attributes:
        text: Words that it says; None ends the conversation.
        reward: Reward of the turn.
        outcome: Outcome of the conversation, where it ended.
    """

    text: str | None
    reward: float
    outcome: str = ""


Respond = Callable[[int, Sequence[int]], Reply]


class DialogueEnv(EpisodeEnv):
    """The state is the conversation so far, an action one of several things to say or do.

    Args:
        openings: First words of the other side in each episode.
        utterances: Words of each action, as they stand in the conversation.
        respond: Function from an episode and the actions taken in it so far to the other side's reply.
        max_turns: Number of the policy's turns after which the conversation ends.
        num_envs: Number of environments side by side.
        shuffle: Whether episodes come in a random order.

    Raises:
        SteerError: `max_turns` leaves no turn.
    """

    def __init__(
        self,
        openings: Sequence[str],
        utterances: Sequence[str],
        respond: Respond,
        *,
        max_turns: int,
        num_envs: int,
        shuffle: bool,
    ) -> None:
        if max_turns < 1:
            raise SteerError(f"a conversation of {max_turns} turns never ends; set max_turns to 1 at least")
        super().__init__(num_envs, len(openings), len(utterances), shuffle=shuffle)
        self.openings, self.utterances, self.respond, self.max_turns = openings, utterances, respond, max_turns
        self.said: list[list[str]] = [[] for _ in range(num_envs)]
        self.taken: list[list[int]] = [[] for _ in range(num_envs)]
        self.set_spaces(spaces.Dict({"text": text_space()}), spaces.Discrete(len(utterances)))

    def begin(self, slots: np.ndarray) -> None:
        for slot in slots:
            self.said[slot], self.taken[slot] = [self.openings[self.rows[slot]]], []

    def observe(self) -> Observations:
        return {"text": tuple("\n".join(lines)[-MAX_CHARACTERS:] for lines in self.said)}

    def act(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        replies = []
        for slot, action in enumerate(actions[:, 0]):
            self.taken[slot].append(int(action))
            reply = self.respond(int(self.rows[slot]), self.taken[slot])
            self.said[slot] += [self.utterances[action], reply.text or ""]
            replies.append(reply)
        ended = [reply.text is None or len(self.taken[slot]) == self.max_turns for slot, reply in enumerate(replies)]
        rewards = np.array([reply.reward for reply in replies], dtype=np.float32)
        return rewards, np.array(ended), {"outcome": [reply.outcome for reply in replies]}
