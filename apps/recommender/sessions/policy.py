"""A learnt correction to the best rule for the lists of a visit.

Residual reinforcement learning (Silver et al. 2018; Johannink et al. 2019): logits of the candidates are `SHARPNESS`
times the rule's scores, plus a small network whose last layer begins at zero, and lists are made of them by the rule's
maximal marginal relevance (`core.models.diverse_list`). Before its first step the policy is the rule.
"""

import numpy as np
import torch
from torch import Tensor

from apps.recommender.sessions.rule import VisitRule, distances
from apps.recommender.sessions.shop import SessionShop
from apps.recommender.sessions.state import FEATURES, VISIT
from apps.recommender.splits import PICKS
from core.envs.observations import Observations
from core.models.diverse_list import DiverseListHead, DiverseListPolicy
from core.models.features import FeatureEncoder

# An item whose score is a tenth higher is chosen some four times as often: lists are tried out near the rule's.
SHARPNESS = 15.0
_CRITIC = (64,)


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


def visit_policy(shop: SessionShop, rule: VisitRule) -> DiverseListPolicy:
    """A policy that is still the rule; its critic reads what is known of the visit."""
    encoder = FeatureEncoder(len(VISIT), _CRITIC)
    policy = DiverseListPolicy(
        encoder, VisitHead(rule), lambda states: distances(shop, states), column="visit", picks=PICKS
    )
    policy.log_gains.requires_grad_(False)
    policy.log_weights.requires_grad_(False)
    return policy
