"""What a policy would have earned on the logged decisions of another one.

With target policy pi, logging policy mu, rewards r and weights w = pi(a|s) / mu(a|s), over n logged decisions:

- IPS, inverse propensity scoring: mean(w r) (Horvitz and Thompson 1952, "A Generalization of Sampling Without
  Replacement from a Finite Universe", section 3). Unbiased, and noisy where few decisions agree with pi.
- SNIPS, the self-normalised estimator: sum(w r) / sum(w) (Swaminathan and Joachims 2015, "The Self-Normalized
  Estimator for Counterfactual Learning", equation 8). Slightly biased, much less noisy.
- DR, doubly robust: mean(v + w (r - q(s, a))) (Dudik, Langford and Li 2011, "Doubly Robust Policy Evaluation and
  Learning", equation 3), where q estimates rewards and v is the mean of q over what pi does. Unbiased if the
  propensities are right, whatever q is; the better q, the narrower the interval.
- The effective sample size, sum(w)^2 / sum(w^2) (Kong 1992, "A Note on Importance Sampling using Standardized
  Weights"): how many decisions made by pi itself the log is worth. Where it is small, no estimate deserves trust.

All of them tell apart only what was tried: a log without exploration says nothing about what was never done.
"""

from dataclasses import dataclass

import numpy as np
import torch

from core.envs.play import Act, Played
from core.evaluation.bootstrap import Estimate, bootstrap, bootstrap_mean
from core.models.actor_critic import ActorCritic
from core.rl.off_policy import LoggedDecisions
from core.util.errors import SteerError

FOLDS = 5


@dataclass(frozen=True)
class OffPolicyEstimates:
    """One policy's expected reward by each estimator.

    Attributes:
        ips: Inverse propensity scoring.
        snips: Self-normalised inverse propensity scoring.
        dr: Doubly robust estimate.
        effective_sample_size: Decisions that the log is worth for this policy, between 0 and the log's length.
    """

    ips: Estimate
    snips: Estimate
    dr: Estimate
    effective_sample_size: float


@dataclass(frozen=True)
class ImportanceWeighted:
    """Rewards of logged decisions, and how much each counts for a policy.

    Attributes:
        weights: Ratios pi(a|s) / mu(a|s) up to a common factor, float64 of shape (decisions,).
        rewards: Rewards of the decisions, float64 of shape (decisions,).
    """

    weights: np.ndarray
    rewards: np.ndarray

    def mean(self, rows: np.ndarray) -> np.ndarray:
        """Self-normalised mean reward of some rows, along the last axis; 0 where nothing counts."""
        weights = self.weights[rows]
        return (weights * self.rewards[rows]).sum(-1) / np.maximum(weights.sum(-1), np.finfo(float).tiny)

    def estimate(self) -> Estimate:
        """What the policy earns by SNIPS, with its bootstrap interval."""
        return bootstrap(self.mean, len(self.rewards))

    def gain(self, baseline: "ImportanceWeighted") -> Estimate:
        """How much more it earns than another policy on the same decisions."""
        return bootstrap(lambda rows: self.mean(rows) - baseline.mean(rows), len(self.rewards))


def weighted(policy: ActorCritic, log: LoggedDecisions) -> ImportanceWeighted:
    """A log as a policy that samples sees it; where every action's reward is known, as one that takes the best."""
    if log.all_action_rewards is not None:
        best = torch.from_numpy(policy.predict(log.observations))
        return ImportanceWeighted(np.ones(len(log)), log.all_action_rewards.gather(1, best).squeeze(1).double().numpy())
    ratios = (policy.log_prob(log.observations, log.actions) - log.log_propensities).sum(1).double()
    # Only the weights' proportions count, and the ratios of whole lists would overflow.
    return ImportanceWeighted((ratios - ratios.max()).exp().numpy(), log.rewards.double().numpy())


def effective_sample_size(weights: np.ndarray) -> float:
    """Kong's effective sample size of importance weights of shape (decisions,); 0 where all are 0."""
    return float(weights.sum() ** 2 / max((weights**2).sum(), np.finfo(float).tiny))


def doubly_robust(weights: np.ndarray, rewards: np.ndarray, q_logged: np.ndarray, q_target: np.ndarray) -> np.ndarray:
    """Each decision's term of the doubly robust estimate, float64 of shape (decisions,); their mean is the estimate.

    Args:
        weights: Ratios pi(a|s) / mu(a|s), shape (decisions,).
        rewards: Rewards of the decisions, shape (decisions,).
        q_logged: Estimated reward of the logged actions, shape (decisions,).
        q_target: Mean estimated reward of what the target policy does, shape (decisions,).
    """
    return q_target + weights * (rewards - q_logged)


@dataclass(frozen=True)
class RewardModel:
    """One ridge regression of the reward for each action (Hoerl and Kennard 1970, equation 2.1, with penalty 1).

    Attributes:
        weights: Weights of float64 and shape (width, actions).
        intercepts: Unpenalised intercepts, float64 of shape (actions,).
    """

    weights: np.ndarray
    intercepts: np.ndarray

    def predict(self, vectors: np.ndarray) -> np.ndarray:
        """Estimated reward of every action in each state, float64 of shape (states, actions)."""
        return vectors @ self.weights + self.intercepts


def fit_rewards(vectors: np.ndarray, actions: np.ndarray, rewards: np.ndarray, num_actions: int) -> RewardModel:
    """A reward model; for an action that was never taken it gives the mean reward.

    Args:
        vectors: Vectors of the states, float of shape (decisions, width).
        actions: Actions taken, int64 of shape (decisions,).
        rewards: Rewards of these, shape (decisions,).
        num_actions: Number of different actions.
    """
    vectors = vectors.astype(np.float64)
    weights, intercepts = np.zeros((vectors.shape[1], num_actions)), np.full(num_actions, rewards.mean())
    for action in np.unique(actions):
        x, y = vectors[actions == action], rewards[actions == action]
        centred = x - x.mean(0)
        covariance = centred.T @ centred + np.eye(x.shape[1])
        weights[:, action] = np.linalg.solve(covariance, centred.T @ (y - y.mean()))
        intercepts[action] = y.mean() - x.mean(0) @ weights[:, action]
    return RewardModel(weights, intercepts)


def cross_fitted_rewards(
    vectors: np.ndarray, actions: np.ndarray, rewards: np.ndarray, num_actions: int, *, seed: int = 0
) -> np.ndarray:
    """Estimated reward of every action in each state, by models that were fitted on the other folds alone."""
    fold = np.random.default_rng(seed).permutation(len(vectors)) % FOLDS
    predicted = np.zeros((len(vectors), num_actions))
    for own in (fold == number for number in range(min(FOLDS, len(vectors)))):
        predicted[own] = fit_rewards(vectors[~own], actions[~own], rewards[~own], num_actions).predict(vectors[own])
    return predicted


class LogEvaluator:
    """Measures decision rules on a log instead of in an environment.

    Args:
        log: Logged single choices.
        vectors: Vectors of the log's states on which rewards are regressed, float of shape (decisions, width).

    Raises:
        SteerError: The log is too short, or its actions are lists or texts.
    """

    def __init__(self, log: LoggedDecisions, vectors: np.ndarray) -> None:
        if len(log) < 2 * FOLDS:
            raise SteerError(f"{len(log)} logged decisions are too few to evaluate on; log at least {2 * FOLDS}")
        if log.actions.shape[1] != 1:
            raise SteerError(
                f"logged decisions of {log.actions.shape[1]} picks each cannot be evaluated: how good a whole list is "
                "must be measured in an environment; implement one"
            )
        self.log = log
        self.actions = log.actions[:, 0].numpy()
        self.propensities = log.log_propensities[:, 0].double().exp().numpy()
        self.rewards = log.rewards.double().numpy()
        self.q = cross_fitted_rewards(vectors, self.actions, self.rewards, int(self.actions.max()) + 1)

    def __call__(self, act: Act) -> Played:
        """A rule's doubly robust terms in the place of returns: one for each decision, their mean the estimate."""
        chosen = self._chosen(act)
        return Played(self._dr_terms(chosen), np.ones(len(chosen), dtype=np.int64), [""] * len(chosen))

    def logging_policy(self) -> Played:
        """What the policy that made the decisions earned."""
        return Played(self.rewards, np.ones(len(self.rewards), dtype=np.int64), [""] * len(self.rewards))

    def estimates(self, act: Act) -> OffPolicyEstimates:
        """What a rule earns by each estimator."""
        chosen = self._chosen(act)
        weights = self._weights(chosen)
        return OffPolicyEstimates(
            ips=bootstrap_mean(weights * self.rewards),
            snips=ImportanceWeighted(weights, self.rewards).estimate(),
            dr=bootstrap_mean(self._dr_terms(chosen)),
            effective_sample_size=effective_sample_size(weights),
        )

    def _chosen(self, act: Act) -> np.ndarray:
        return np.asarray(act(self.log.observations)).reshape(len(self.log))

    def _weights(self, chosen: np.ndarray) -> np.ndarray:
        """A rule takes its action with probability 1, and every other with 0."""
        return (chosen == self.actions) / self.propensities

    def _dr_terms(self, chosen: np.ndarray) -> np.ndarray:
        rows, known = np.arange(len(chosen)), chosen < self.q.shape[1]
        q_target = np.where(known, self.q[rows, np.where(known, chosen, 0)], self.rewards.mean())
        return doubly_robust(self._weights(chosen), self.rewards, self.q[rows, self.actions], q_target)
