"""What a policy would have earned on logged decisions of another one.

Where every action's reward is known, that is the mean reward of the policy's best actions. Otherwise it is the
self-normalised importance-sampling estimate of the policy as it samples, sum(w r) / sum(w) with w = pi(a|s) / mu(a|s)
(Swaminathan and Joachims 2015, "The Self-Normalized Estimator for Counterfactual Learning", equation 8). It can only
tell actions apart that were tried: a log without exploration says little about what was never done.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from core.evaluation.bootstrap import RESAMPLES, Estimate
from core.models.actor_critic import ActorCritic
from core.rl.off_policy import LoggedDecisions


@dataclass(frozen=True)
class ImportanceWeighted:
    """Rewards of logged decisions, and how much each counts for a policy; float64 of shape (decisions,)."""

    weights: np.ndarray
    rewards: np.ndarray

    def mean(self, rows: np.ndarray) -> np.ndarray:
        """ImportanceWeighted mean reward of some rows, along the last axis."""
        weights = self.weights[rows]
        return (weights * self.rewards[rows]).sum(-1) / np.maximum(weights.sum(-1), np.finfo(float).tiny)

    def estimate(self) -> Estimate:
        """What the policy earns, with its bootstrap interval."""
        return _resampled(self.mean, len(self.rewards))

    def gain(self, baseline: "ImportanceWeighted") -> Estimate:
        """How much more it earns than another policy on the same decisions."""
        return _resampled(lambda rows: self.mean(rows) - baseline.mean(rows), len(self.rewards))


def weighted(policy: ActorCritic, log: LoggedDecisions) -> ImportanceWeighted:
    """A policy's view of a log."""
    if log.all_action_rewards is not None:
        best = torch.from_numpy(policy.predict(log.observations))
        return ImportanceWeighted(np.ones(len(log)), log.all_action_rewards.gather(1, best).squeeze(1).double().numpy())
    ratios = (policy.log_prob(log.observations, log.actions) - log.log_propensities).sum(1).double()
    # Only the weights' proportions count, and the ratios of whole lists would overflow.
    return ImportanceWeighted((ratios - ratios.max()).exp().numpy(), log.rewards.double().numpy())


def _resampled(statistic: Callable[[np.ndarray], np.ndarray], rows: int, *, seed: int = 0) -> Estimate:
    generator = np.random.default_rng(seed)
    values = np.concatenate([statistic(generator.integers(0, rows, (RESAMPLES // 10, rows))) for _ in range(10)])
    low, high = np.quantile(values, [0.025, 0.975])
    return Estimate(float(statistic(np.arange(rows))), float(low), float(high))
