"""When to act: a stream goes by, and acting ends the episode."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations
from core.util.errors import SteerError

WAIT, ACT = 0, 1


class StoppingEnv(EpisodeEnv):
    """The state is what the stream shows now; the action is to wait or to act (an alarm, a trade, a reply).

    Args:
        streams: Stream of each episode, float32 of shape (time steps, features).
        act_rewards: Reward of acting at each time step of each episode, float32 of shape (time steps,).
        wait_rewards: Reward of waiting at each time step of each episode, float32 of shape (time steps,).
        num_envs: Number of environments side by side.
        shuffle: Whether episodes come in a random order.

    Raises:
        SteerError: A stream and its rewards are not equally long.
    """

    def __init__(
        self,
        streams: Sequence[np.ndarray],
        act_rewards: Sequence[np.ndarray],
        wait_rewards: Sequence[np.ndarray],
        num_envs: int,
        *,
        shuffle: bool,
    ) -> None:
        super().__init__(num_envs, len(streams), 2, shuffle=shuffle)
        for row, parts in enumerate(zip(streams, act_rewards, wait_rewards, strict=True)):
            if len({len(part) for part in parts}) > 1 or not len(parts[0]):
                raise SteerError(
                    f"stream {row} has {len(parts[0])} steps, and rewards for {len(parts[1])}, {len(parts[2])}"
                )
        self.streams, self.act_rewards, self.wait_rewards = streams, act_rewards, wait_rewards
        self.time = np.zeros(num_envs, dtype=np.int64)
        features = spaces.Box(-np.inf, np.inf, (streams[0].shape[1],), np.float32)
        self.set_spaces(spaces.Dict({"features": features}), spaces.Discrete(2))

    def begin(self, slots: np.ndarray) -> None:
        self.time[slots] = 0

    def observe(self) -> Observations:
        return {"features": np.stack([self.streams[row][t] for row, t in self._now()]).astype(np.float32)}

    def act(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        acted = actions[:, 0] == ACT
        pairs = zip(self._now(), acted.tolist(), strict=True)
        rewards = [(self.act_rewards if act else self.wait_rewards)[row][t] for (row, t), act in pairs]
        over = self.time + 1 == [len(self.streams[row]) for row in self.rows.tolist()]
        self.time += 1
        return np.array(rewards, dtype=np.float32), acted | over, {}

    def _now(self) -> list[tuple[int, int]]:
        return list(zip(self.rows.tolist(), self.time.tolist(), strict=True))


def quickest_detection(
    length: int, change: int | None, *, delay_cost: float, false_alarm_cost: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rewards of quickest change detection (Shiryaev 1963): an alarm before the change costs, and so does each delay.

    Args:
        length: Length of the stream, in time steps.
        change: First time step after the change; None where nothing changes.
        delay_cost: Cost of each time step from the change on without an alarm.
        false_alarm_cost: Cost of an alarm before the change.

    Returns:
        Rewards of acting and of waiting at each time step, float32 of shape (length,).
    """
    late = np.arange(length) >= (length if change is None else change)
    return np.where(late, 0, -false_alarm_cost).astype(np.float32), np.where(late, -delay_cost, 0).astype(np.float32)
