"""Rules that a well-read outsider would make the lists of a visit by, and how their knobs are tuned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from apps.recommender.diversity import diverse_lists
from apps.recommender.sessions.environment import SessionEnv
from apps.recommender.sessions.shop import SessionShop
from apps.recommender.sessions.state import FEATURES
from apps.recommender.splits import PICKS
from core.envs.observations import Observations
from core.envs.play import Act, play


@dataclass(frozen=True)
class VisitRule:
    """A weighted sum of what is known of each candidate, re-ordered by maximal marginal relevance.

    Attributes:
        trade_off: Worth of a distance of 1 to the picks before.
        weights: Weight of each feature but `score`, which counts once.
    """

    trade_off: float = 0.0
    weights: Mapping[str, float] = field(default_factory=dict)

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Score of each candidate, float32 of shape (visits, candidates)."""
        return features @ self.by_feature

    @property
    def by_feature(self) -> np.ndarray:
        """Weight of each of `FEATURES`, float32."""
        return np.array([self.weights.get(name, float(name == "score")) for name in FEATURES], dtype=np.float32)

    def on(self, shop: SessionShop) -> Act:
        """The rule as a policy."""

        def act(states: Observations) -> np.ndarray:
            relevance = self.scores(np.asarray(states["features"]))
            return diverse_lists(relevance, distances(shop, states), self.trade_off, PICKS)

        return act


def distances(shop: SessionShop, states: Observations) -> np.ndarray:
    """How different the candidates of each state are, float32 of shape (visits, candidates, candidates)."""
    found = np.asarray(states["candidates"])
    return 1.0 - shop.alike[found[:, :, None], found[:, None, :]]


TRADE_OFFS = (0.0, 0.4, 0.8, 1.2, 2.0, 3.0)
_LESS = (-0.2, -0.5, -1.0, -2.0)
_MORE = (0.2, 0.5, 1.0, 2.0)
_POPULAR = {"popularity": (-0.5, 0.25, 0.5, 1.0)}
_HIDES = {"score_hidden": _LESS}
_WHOLE_VISIT = {"near_shown_now": _LESS}
_COOL_DOWN = {"kind_shown_now": _LESS}
_UCB = {"kind_answer": _MORE, "kind_unsure": _MORE}

# Weights to try of each outsider, and the outsider that it begins as.
OUTSIDERS: Mapping[str, tuple[Mapping[str, Sequence[float]], str]] = {
    "EASE + MMR": ({}, ""),
    "+ popularity": (_POPULAR, "EASE + MMR"),
    "+ hides as negative likes": (_HIDES, "+ popularity"),
    "+ MMR over the whole visit": (_WHOLE_VISIT, "+ popularity"),
    "+ genres cool down": (_COOL_DOWN, "+ popularity"),
    "+ UCB over genres": (_UCB, "+ popularity"),
    "all of these": (_HIDES | _WHOLE_VISIT | _COOL_DOWN | _UCB | _POPULAR, "+ UCB over genres"),
}


def tuned(env: SessionEnv) -> dict[str, VisitRule]:
    """Every outsider with the settings of its knobs that earn most in an environment, by coordinate ascent.

    Args:
        env: Environment without shuffling.
    """
    rules: dict[str, VisitRule] = {"": VisitRule()}
    for name, (knobs, begun) in OUTSIDERS.items():
        rules[name] = _climbed(env, knobs, rules[begun])
    del rules[""]
    return rules


def _climbed(env: SessionEnv, knobs: Mapping[str, Sequence[float]], start: VisitRule) -> VisitRule:
    def earned(rule: VisitRule) -> float:
        return float(play(env, rule.on(env.shop)).returns.mean())

    best, most = start, earned(start)
    for name, tries in {**knobs, "": TRADE_OFFS}.items():
        for value in tries:
            weights = {**best.weights, name: value} if name else best.weights
            now = VisitRule(best.trade_off if name else value, weights)
            if (reward := earned(now)) > most:
                best, most = now, reward
    return best
