"""Drift detection while serving; `core.platform.retraining.drift` says what the signals mean."""

import threading
import time
from typing import Literal

from river.drift import ADWIN

from core.platform.inference.metrics import DRIFT


class DriftWatch:
    """One detector for each app and signal; sets the gauge `steer_drift_timestamp_seconds` when one fires."""

    def __init__(self) -> None:
        self._detectors: dict[tuple[str, str], ADWIN] = {}
        self._lock = threading.Lock()

    def note(self, app: str, signal: Literal["inputs", "outcomes"], value: float) -> None:
        """Take in how sure a policy was, or what somebody thought of a decision."""
        with self._lock:
            detector = self._detectors.setdefault((app, signal), ADWIN())
            detector.update(value)
            if detector.drift_detected:
                DRIFT.labels(app, signal).set(time.time())


WATCH = DriftWatch()
