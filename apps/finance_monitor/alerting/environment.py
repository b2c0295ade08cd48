"""When to alert, as optimal stopping: at each bad story of a company's stream, wait or alert.

An alert silences the stream until it has been quiet for 36 hours, as the detector does; then the stream goes on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from gymnasium import spaces

from apps.finance_monitor.alerting.course import FEATURES, RATIO, Course
from apps.finance_monitor.alerting.rewards import Truth
from apps.finance_monitor.alerting.streams import Stream
from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations
from core.envs.stopping import ACT
from core.rewards.reward import Reward


@dataclass(frozen=True)
class Decision:
    """A moment at which to wait or to alert.

    Attributes:
        taken: Number of stories that the course has taken in by then.
        time: The moment.
        state: State of the course.
    """

    taken: int
    time: datetime
    state: np.ndarray


def decisions_of(stream: Stream, ratio: float = RATIO) -> list[Decision]:
    """Every decision of a stream in which nobody alerts."""
    return list(_decisions(Course(stream.since, ratio), stream, 0))


class AlertEnv(EpisodeEnv):
    """The state is what `Course.state` shows; the action is to wait or to alert.

    Args:
        streams: Streams of stories, one an episode; each has something to decide.
        reward: Reward of alerting, and of waiting.
        num_envs: Number of environments side by side.
        shuffle: See `EpisodeEnv`.
        ratio: See `Course`.

    `infos["outcome"]` says how many alerts were for nothing, and after how many hours the surge was told (-1: not).
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        reward: Reward[None, bool, Truth],
        num_envs: int | None = None,
        *,
        shuffle: bool = False,
        ratio: float = RATIO,
    ) -> None:
        super().__init__(num_envs or len(streams), len(streams), 2, shuffle=shuffle)
        self.streams, self.reward = streams, reward
        self._silences = [_Silence(stream, ratio) for stream in streams]
        self._plays = [_Play(self._silences[0])] * self.num_envs
        self.set_spaces(
            spaces.Dict({"features": spaces.Box(0, np.inf, (len(FEATURES),), np.float32)}), spaces.Discrete(2)
        )

    def begin(self, slots: np.ndarray) -> None:
        for slot in slots:
            self._plays[slot] = _Play(self._silences[self.rows[slot]])

    def observe(self) -> Observations:
        return {"features": np.stack([play.state for play in self._plays], dtype=np.float32)}

    def act(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        acted = (actions[:, 0] == ACT).tolist()
        rewards = [play.step(alert, self.reward) for play, alert in zip(self._plays, acted, strict=True)]
        over = np.array([play.now is None for play in self._plays])
        return np.array(rewards, dtype=np.float32), over, {"outcome": [play.outcome for play in self._plays]}


class _Silence:
    """A stream as it goes by while nobody alerts, which is the same in each of its episodes."""

    def __init__(self, stream: Stream, ratio: float) -> None:
        self.stream, self.ratio = stream, ratio
        self.decisions = decisions_of(stream, ratio)

    def course(self, taken: int) -> Course:
        """The course after so many stories."""
        course = Course(self.stream.since, self.ratio)
        for story in self.stream.stories[:taken]:
            course.take(story)
        return course


class _Play:
    """An episode, from decision to decision."""

    def __init__(self, silence: _Silence) -> None:
        self.silence = silence
        self.course: Course | None = None
        self.left: Iterator[Decision] = iter(silence.decisions)
        self.now: Decision | None = next(self.left)
        self.told = self.missed = False
        self.delay, self.false = -1.0, 0

    def step(self, alert: bool, reward: Reward[None, bool, Truth]) -> float:
        assert self.now is not None
        truth = self._truth(self.now.time)
        earned = reward(None, alert, truth)
        self.missed |= truth.missed
        if alert:
            self._alert(self.now, truth)
        self.now = next(self.left, None)
        surge = self.silence.stream.surge
        if self.now is None and surge and not (self.told or self.missed):
            earned += reward(None, False, Truth("usual", missed=True))
        return float(earned)

    @property
    def state(self) -> np.ndarray:
        """What the course shows at the present decision."""
        assert self.now is not None  # the environment begins another episode at once
        return self.now.state

    @property
    def outcome(self) -> str:
        """False alarms so far, and hours until the surge was told (-1 where it was not)."""
        return f"{self.false} {self.delay:.3f}"

    def _alert(self, now: Decision, truth: Truth) -> None:
        self.false += truth.now == "usual"
        if truth.now == "surge":
            self.told, self.delay = True, truth.hours
        self.course = self.course or self.silence.course(now.taken)
        self.course.open()
        self.left = _decisions(self.course, self.silence.stream, now.taken)

    def _truth(self, now: datetime) -> Truth:
        surge = self.silence.stream.surge
        if surge is None or now < surge[0]:
            return Truth("usual")
        if now <= surge[1]:
            return Truth("told surge" if self.told else "surge", (now - surge[0]) / timedelta(hours=1))
        return Truth("usual", missed=not (self.told or self.missed))


def _decisions(course: Course, stream: Stream, taken: int) -> Iterator[Decision]:
    """What is to be decided from there on, for as long as the course is not changed by an alert."""
    for at in range(taken, len(stream.stories)):
        story = stream.stories[at]
        if course.take(story) and story.time >= stream.live:
            yield Decision(at + 1, story.time, course.state())
