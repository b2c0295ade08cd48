"""Exploration: what is logged as the propensity is how often it really happens."""

from collections import Counter

import numpy as np
import torch

from core.models.distributions import PlackettLuce
from core.rl.explore import Explorer

PROBS = np.array([0.5, 0.3, 0.2])
LISTS = PlackettLuce(torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log(), 2)


def test_without_exploration_the_best_is_certain():
    assert Explorer().choose(PROBS) == (0, 1.0)
    rows, propensity = Explorer().rank(LISTS)
    assert rows.tolist() == [0, 1]
    assert propensity == 1.0


def test_actions_happen_as_often_as_their_propensity_says():
    explorer, times = Explorer(0.5, seed=0), 20_000
    seen = [explorer.choose(PROBS) for _ in range(times)]
    told = dict(seen)
    assert abs(sum(told.values()) - 1) < 1e-9
    for action, count in Counter(action for action, _ in seen).items():
        assert abs(count / times - told[action]) < 0.015


def test_lists_happen_as_often_as_their_propensity_says():
    explorer, times = Explorer(0.6, seed=1), 20_000
    seen = [explorer.rank(LISTS) for _ in range(times)]
    told = {tuple(rows.tolist()): propensity for rows, propensity in seen}
    assert len(told) == 12
    assert abs(sum(told.values()) - 1) < 1e-6
    counts = Counter(tuple(rows.tolist()) for rows, _ in seen)
    for rows, propensity in told.items():
        assert abs(counts[rows] / times - propensity) < 0.015
