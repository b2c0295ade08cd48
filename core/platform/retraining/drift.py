"""Drift: whether anything has changed since the running version was made.

Two signals are watched by ADWIN (Bifet and Gavaldà 2007, "Learning from Time-Changing Data with Adaptive Windowing"),
as River implements it: how sure the policy was of each decision, which falls when people ask for what it does not know
(inputs), and what people made of the decisions (outcomes).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Literal

from river.drift import ADWIN

from core.platform.store import decisions
from core.platform.store.database import Store

Signal = Literal["inputs", "outcomes"]
Reading = tuple[datetime, float]


@dataclass(frozen=True)
class Drift:
    """A lasting change of a signal.

    Attributes:
        signal: Signal that has changed.
        since: Earliest moment at which it may have changed; the detector's steps are coarse.
        before: Mean of the signal until then.
        after: Mean of the signal from then on.
    """

    signal: Signal
    since: datetime
    before: float
    after: float

    def __str__(self) -> str:
        name = "how sure the policy is" if self.signal == "inputs" else "what people think"
        when = f"{self.since:%Y-%m-%d %H:%M} UTC or later"
        return f"{name} has changed, {when}: from {self.before:.2f} to {self.after:.2f}"


def drifts(store: Store, app: str, since: datetime) -> list[Drift]:
    """The newest change of an app's inputs and of its outcomes since a moment, as far as there is one."""
    with store.reading() as session:
        made = decisions.made(session, app, since)
        judged = decisions.judged(session, app, since)
    sure = [(row.time, float(sure)) for row in made if (sure := row.state.get("confidence")) is not None]
    thought = [(row.decision.time, row.value) for row in judged]
    return [drift for drift in (detect("inputs", sure), detect("outcomes", thought)) if drift is not None]


def detect(signal: Signal, readings: Sequence[Reading]) -> Drift | None:
    """The newest change of a signal; None if it was steady.

    Args:
        signal: Name of the signal.
        readings: Values of the signal in order of time.
    """
    detector, begin = ADWIN(), 0
    for i, (_, value) in enumerate(readings):
        detector.update(value)
        if detector.drift_detected:  # the detector has forgotten what no longer belongs to the present
            begin = i + 1 - int(detector.width)
    if not begin:
        return None
    values = [value for _, value in readings]
    return Drift(signal, readings[begin][0], fmean(values[:begin]), fmean(values[begin:]))
