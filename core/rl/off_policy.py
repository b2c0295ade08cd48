"""Off-policy REINFORCE on logged decisions with clipped propensities.

Maximises the mean of min(pi(a|s) / mu(a|s), clip) (r - b) log pi(a|s), where mu is the probability with which the
logging policy chose (Chen et al. 2019, "Top-K Off-Policy Correction", equations 2 and section 4.4; the weight carries
no gradient). The baseline b is the mean reward of the log, so that a log of good decisions alone does not teach
"whatever was done was right" (Swaminathan and Joachims 2015, section 4, on why that must be taken care of).

With `is_weight_min` and `is_weight_max` of 1 it is "Tapered Off-Policy REINFORCE" (TOPR, Le Roux et al. 2025, section
3): what worked is imitated whole, even where the present policy has all but forgotten it, and what failed is pushed
down only as far as the policy would still do it, so many passes over a log stay stable.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from core.envs.episodes import EpisodeEnv
from core.envs.observations import join
from core.models.policy import Policy
from core.rl.algorithm import Batch, Metrics, RLAlgorithm, Step
from core.rl.on_policy import collect
from core.rl.rollout import check_first_episodes_end
from core.rl.settings import MinibatchSettings, RLSettings
from core.util.errors import SteerError


class OffPolicySettings(RLSettings, MinibatchSettings):
    """Settings of off-policy REINFORCE."""

    algorithm: Literal["off_policy"] = "off_policy"
    n_steps: int = Field(
        default=4, ge=1, description="Decisions in each environment that are logged, for a task without a log."
    )
    is_weight_max: float = Field(default=10.0, gt=0, description="Largest importance weight of a logged decision.")
    is_weight_min: float = Field(
        default=0.0,
        ge=0,
        description="Smallest importance weight of a logged decision that was better than the baseline.",
    )
    baseline: float | None = Field(
        default=None, description="Reward that logged rewards are compared with; None for their mean."
    )

    @model_validator(mode="after")
    def _weights_leave_room(self) -> Self:
        if self.is_weight_min > self.is_weight_max:
            raise ValueError(
                f"is_weight_min ({self.is_weight_min}) exceeds is_weight_max ({self.is_weight_max}): lower it, "
                f"or set is_weight_max={self.is_weight_min}"
            )
        return self


@dataclass
class LoggedDecisions(Batch):
    """Decisions that some policy made, with what came of them.

    Attributes:
        actions: Picks of each decision, int64 of shape (rows, picks).
        log_propensities: Log-probability of each pick under the policy that made it, float32 of shape (rows, picks).
        rewards: Reward of each whole action, float32 of shape (rows,).
        reference: Log-probabilities of the reference policy, see `Policy.log_probs_for_kl`; None without one.
        all_action_rewards: Reward of every action where those are known too, float32 of shape (rows, actions).
    """

    actions: Tensor
    log_propensities: Tensor
    rewards: Tensor
    reference: Tensor | None = None
    all_action_rewards: Tensor | None = None

    def __post_init__(self) -> None:
        wrong = (
            ~self.rewards.isfinite() | ~self.log_propensities.isfinite().all(1) | (self.log_propensities > 1e-5).any(1)
        )
        if wrong.any():
            row = int(wrong.nonzero()[0])
            raise SteerError(
                f"logged decision {row} has reward {self.rewards[row].item()} and propensities "
                f"{self.log_propensities[row].exp().tolist()}; rewards must be finite and propensities in (0, 1]"
            )

    def __add__(self, later: "LoggedDecisions") -> "LoggedDecisions":
        """Both logs as one, with what both of them have; references are left out, as an algorithm notes those anew."""
        known = self.all_action_rewards, later.all_action_rewards
        return LoggedDecisions(
            join([self.observations, later.observations]),
            torch.cat([self.actions, later.actions]),
            torch.cat([self.log_propensities, later.log_propensities]),
            torch.cat([self.rewards, later.rewards]),
            all_action_rewards=None if known[0] is None or known[1] is None else torch.cat([known[0], known[1]]),
        )


def log_decisions(policy: Policy, env: EpisodeEnv, *, n_steps: int, seed: int) -> LoggedDecisions:
    """What a policy does by sampling, as a log; each decision is paid with its own step's reward.

    Args:
        policy: Policy that decides.
        env: Environment that it decides in, begun anew.
        n_steps: Decisions in each environment.
        seed: Seed of everything random.

    Raises:
        SteerError: An episode has more decisions than are logged.
    """
    initial_obs, _ = env.reset(seed=seed)
    rollout = collect(policy, env, n_steps=n_steps, seed=seed, initial_obs=initial_obs)
    check_first_episodes_end(rollout)
    return LoggedDecisions(rollout.observations, rollout.actions, rollout.log_probs, rollout.rewards.sum(1))


class OffPolicy(RLAlgorithm):
    """Learns from a log, without acting.

    Args:
        log: Decisions to learn from.
        settings: Settings of the algorithm.
        reference: Frozen policy to stay close to; None leaves the KL penalty out.
    """

    settings: OffPolicySettings

    def __init__(self, log: LoggedDecisions, settings: OffPolicySettings, reference: Policy | None = None) -> None:
        super().__init__(settings, reference)
        self.log = log
        self.baseline = float(log.rewards.mean()) if settings.baseline is None else settings.baseline
        if self.reference is not None:
            log.reference = self.reference.log_probs_for_kl(log.observations, log.actions)

    def updates_per_iteration(self) -> int:
        return math.ceil(len(self.log) / self.settings.batch_size)

    def updates(self, policy: Policy, seed: int, step: Step) -> Iterator[Metrics]:
        for batch in self.log.minibatches(policy, self.settings.batch_size, seed):
            yield step(batch)

    def loss(self, policy: Policy, batch: LoggedDecisions) -> tuple[Tensor, Metrics]:
        s = self.settings
        output = policy(batch.observations, batch.actions)
        # importance weights of whole actions
        log_probs = output.distribution.log_prob(batch.actions).sum(1)
        log_weights = log_probs.detach() - batch.log_propensities.sum(1)
        weights = log_weights.exp()
        # weighted policy gradient
        advantages = batch.rewards - self.baseline
        kept = torch.where(advantages > 0, weights.clamp(min=s.is_weight_min), weights).clamp(max=s.is_weight_max)
        loss = -(kept * advantages * log_probs).mean()
        # entropy bonus and KL penalty
        loss, metrics = self.regularize(loss, output, batch.reference)
        cut = (weights > s.is_weight_max).float().mean().item()
        # How many decisions the log is worth to this policy (Kong 1992), as a share.
        shares = log_weights.softmax(0)  # the weights themselves overflow
        effective = 1 / (shares.square().sum().item() * len(shares))
        return loss, metrics | {"weights_cut": cut, "effective_share": effective}
