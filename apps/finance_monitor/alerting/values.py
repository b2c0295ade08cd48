"""What waiting and alerting are worth at every decision of a stream, whatever the policy does afterwards.

The stories of a stream come as they come; an alert changes only when the next decision is, and whether the surge has
been told. So the expected return under a policy follows from its probabilities, backwards from the stream's end, and
how often it comes to each decision, forwards from its begin: the exact policy gradient (`core.rl.all_action`).
One thing is left out: after an alert the statistic begins anew, and here the state is what it would be without.
"""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from apps.finance_monitor.alerting.course import QUIET
from apps.finance_monitor.alerting.environment import Decision, decisions_of
from apps.finance_monitor.alerting.rewards import Truth
from apps.finance_monitor.alerting.streams import Stream
from core.envs.observations import Observations
from core.envs.stopping import ACT, WAIT
from core.models.actor_critic import ActorCritic
from core.rewards.reward import Reward

_UNTOLD, _TOLD = 0, 1


class StreamValues:
    """Values of both actions at every decision of some streams, in their order.

    Attributes:
        observations: States of all decisions.
        in_surge: Whether there is a surge at each decision, bool of shape (decisions,).

    Args:
        streams: Streams to learn from.
        reward: Reward of alerting, and of waiting.
    """

    def __init__(self, streams: Sequence[Stream], reward: Reward[None, bool, Truth]) -> None:
        decisions = [decisions_of(stream) for stream in streams]
        self._streams = [_Values(stream, made, reward) for stream, made in zip(streams, decisions, strict=True)]
        states = np.stack([each.state for made in decisions for each in made], dtype=np.float32)
        self.observations: Observations = {"features": states}
        self.in_surge = np.concatenate([each.in_surge for each in self._streams])

    def __call__(self, policy: ActorCritic) -> np.ndarray:
        """What each action is worth under a policy, times how often it comes there: float32 of shape (decisions, 2)."""
        alert = policy.logits(self.observations).exp().numpy()[:, ACT].astype(np.float64)
        ends = np.cumsum([len(each.in_surge) for each in self._streams])[:-1]
        parts = zip(self._streams, np.split(alert, ends), strict=True)
        return np.concatenate([values.weighted(probs) for values, probs in parts]).astype(np.float32)


class _Values:
    def __init__(self, stream: Stream, decisions: Sequence[Decision], reward: Reward[None, bool, Truth]) -> None:
        times = [each.time for each in decisions]
        begin, end = stream.surge or (times[-1], times[0] - timedelta(hours=1))
        self.in_surge = np.array([begin <= time <= end for time in times])
        hours = [max((time - begin) / timedelta(hours=1), 0.0) for time in times]
        told: dict[int, str] = {_UNTOLD: "surge", _TOLD: "told surge"}
        self.alert = [
            [
                reward(None, True, Truth(told[known] if surge else "usual", late))  # type: ignore[arg-type]
                for surge, late in zip(self.in_surge, hours, strict=True)
            ]
            for known in (_UNTOLD, _TOLD)
        ]
        self.missed = reward(None, False, Truth("usual", missed=True))
        # An alert is over, and there is something to decide again, at the first story after so long a silence.
        count = len(times)
        self.again = [
            next((later for later in range(at + 1, count) if times[later] - times[later - 1] >= QUIET), count)
            for at in range(count)
        ]
        # From here on a surge that nobody told of has been missed.
        self.past = sum(time <= end for time in times) if stream.surge else 0
        self.first = _UNTOLD if stream.surge else _TOLD

    def weighted(self, alert: np.ndarray) -> np.ndarray:
        """Values of waiting and alerting times the probability of coming there, float64 of shape (decisions, 2)."""
        count = len(alert)
        value = np.zeros((2, count + 1))
        worth = np.zeros((2, count, 2))
        for at in range(count, -1, -1):
            for known in (_TOLD, _UNTOLD):
                if known == _UNTOLD and at >= self.past:
                    value[known, at] = self.missed + value[_TOLD, at]
                elif at < count:
                    then = _TOLD if self.in_surge[at] else known
                    worth[known, at, WAIT] = value[known, at + 1]
                    worth[known, at, ACT] = self.alert[known][at] + value[then, self.again[at]]
                    value[known, at] = (1 - alert[at]) * worth[known, at, WAIT] + alert[at] * worth[known, at, ACT]
        return np.einsum("kt,kta->ta", self._reached(alert), worth)

    def _reached(self, alert: np.ndarray) -> np.ndarray:
        count = len(alert)
        reached = np.zeros((2, count + 1))
        reached[self.first, 0] = 1.0
        for at in range(count):
            if at >= self.past:
                reached[_TOLD, at] += reached[_UNTOLD, at]
                reached[_UNTOLD, at] = 0.0
            for known in (_UNTOLD, _TOLD):
                then = _TOLD if self.in_surge[at] else known
                reached[known, at + 1] += (1 - alert[at]) * reached[known, at]
                reached[then, self.again[at]] += alert[at] * reached[known, at]
        return reached[:, :count]
