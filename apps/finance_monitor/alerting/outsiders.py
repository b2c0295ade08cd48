"""Rules that a well-read outsider would alert by, each a score of the state against a threshold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from apps.finance_monitor.alerting.course import FEATURES, RATIO
from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations
from core.envs.play import Act, play

# Score of each state, float of shape (states,); an alert is due from the threshold on.
Score = Callable[[np.ndarray], np.ndarray]


def feature(name: str) -> Score:
    """The value of a feature."""
    at = FEATURES.index(name)
    return lambda states: states[:, at]


def z_score(span: int) -> Score:
    """Deviations by which the bad stories of the last `span` hours exceed what they usually are, if Poisson."""
    count, usual = feature(f"bad_{span}h"), feature("usual_a_week")

    def score(states: np.ndarray) -> np.ndarray:
        expected = usual(states) * span / 168
        return (count(states) - expected) / np.sqrt(expected)

    return score


def every_bad_story(states: np.ndarray) -> np.ndarray:
    """Enough at every bad story."""
    return np.zeros(len(states))


@dataclass(frozen=True)
class Outsider:
    """A rule whose threshold is still to be tuned.

    Attributes:
        score: Score of each state.
        thresholds: Thresholds to try.
        ratio: See `Course`.
    """

    score: Score
    thresholds: Sequence[float]
    ratio: float = RATIO


_STEPS = tuple(range(3, 13))
OUTSIDERS = {
    "CUSUM": Outsider(feature("statistic"), _STEPS),
    "CUSUM of 16 times the usual rate": Outsider(feature("statistic"), _STEPS, ratio=16.0),
    "z-score of 6 h": Outsider(z_score(6), _STEPS),
    "z-score of 24 h": Outsider(z_score(24), tuple(step / 2 for step in range(6, 19))),
    "count in 24 h": Outsider(feature("bad_24h"), _STEPS),
    "every bad story": Outsider(every_bad_story, (0.0,)),
}


def from_threshold(score: Score, threshold: float) -> Act:
    """Alert from the threshold on."""

    def act(states: Observations) -> np.ndarray:
        return (score(np.asarray(states["features"])) >= threshold).astype(np.int64)[:, None]

    return act


def tuned(outsider: Outsider, env: EpisodeEnv) -> float:
    """The threshold that earns most in an environment."""
    earned = [play(env, from_threshold(outsider.score, each)).returns.mean() for each in outsider.thresholds]
    return float(outsider.thresholds[int(np.argmax(earned))])
