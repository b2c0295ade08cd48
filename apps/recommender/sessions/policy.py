"""A learnt correction to the best rule for the lists of a visit.

Residual reinforcement learning (Silver et al. 2018; Johannink et al. 2019): logits of the candidates are `SHARPNESS`
times the rule's scores, plus a small network whose last layer begins at zero, and lists are made of them by the rule's
maximal marginal relevance (`core.models.diverse_list`). Before its first step the policy is the rule.
"""

import numpy as np
from torch import Tensor

from apps.recommender.sessions.environment import VISITOR
from apps.recommender.sessions.rule import VisitRule
from apps.recommender.sessions.state import FEATURES, VISIT
from apps.recommender.splits import PICKS
from core.envs.observations import Observations
from core.models.diverse_list import DistancesOf, DiverseListHead, DiverseListPolicy
from core.models.features import FeatureEncoder

# An item whose score is a tenth higher is chosen some four times as often: lists are tried out near the rule's.
SHARPNESS = 15.0
_CRITIC = (256,)


class VisitHead(DiverseListHead):
    """Logits of the candidates: the rule's, plus a correction that begins at zero.

    Args:
        rule: Rule that is corrected.
    """

    def __init__(self, rule: VisitRule) -> None:
        super().__init__(1 + len(FEATURES) + len(VISIT), sharpness=SHARPNESS, trade_off=rule.trade_off)
        self.rule = rule
        self.course.requires_grad_(False)

    def seen(self, observations: Observations) -> Tensor:
        """The rule's score of each candidate, all that is known of it, and of the visit."""
        features = np.asarray(observations["features"])
        visit = np.broadcast_to(np.asarray(observations["visit"])[:, None], (*features.shape[:2], len(VISIT)))
        scores = self.rule.scores(features)[:, :, None]
        known = np.concatenate([scores, features, visit], axis=2)
        return super().seen({"features": known, "candidates": observations["candidates"]})


def visit_policy(rule: VisitRule, distances_of: DistancesOf) -> DiverseListPolicy:
    """A policy that is still the rule; its critic knows the visitor as well (Pinto et al. 2018).

    Args:
        rule: Rule that is corrected.
        distances_of: Distances between the candidates of given states.
    """
    policy = DiverseListPolicy(
        FeatureEncoder(VISITOR, _CRITIC), VisitHead(rule), distances_of, column="visitor", picks=PICKS
    )
    policy.log_gains.requires_grad_(False)
    policy.log_weights.requires_grad_(False)
    return policy
