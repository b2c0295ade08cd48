"""The gauge of drift, fed while serving."""

import time

import numpy as np

from core.platform.inference.drift import DriftWatch
from core.platform.inference.metrics import DRIFT


def told(app: str) -> float:
    return DRIFT.labels(app, "inputs")._value.get()


def test_a_lasting_change_is_told_and_chance_is_not():
    watch, chance = DriftWatch(), np.random.default_rng(0)
    for value in chance.normal(0.8, 0.1, 1000):
        watch.note("steady", "inputs", float(value))
        watch.note("changing", "inputs", float(value))
    assert told("steady") == told("changing") == 0
    for value in chance.normal(0.4, 0.1, 300):
        watch.note("changing", "inputs", float(value))
    assert told("steady") == 0
    assert time.time() - told("changing") < 60
