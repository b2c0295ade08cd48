"""Off-policy REINFORCE on logged decisions with clipped propensities.

Maximises the mean of min(pi(a|s) / mu(a|s), clip) (r - b) log pi(a|s), where mu is the probability with which the
logging policy chose (Chen et al. 2019, "Top-K Off-Policy Correction", equations 2 and section 4.4; the weight carries
no gradient). The baseline b is the mean reward of the log, so that a log of good decisions alone does not teach
"whatever was done was right" (Swaminathan and Joachims 2015, section 4, on why that must be taken care of).

With `weight_floor` and `weight_clip` of 1 it is "Tapered Off-Policy REINFORCE" (TOPR, Le Roux et al. 2025, section 3):
what worked is imitated whole, even where the present policy has all but forgotten it, and what failed is pushed down
only as far as the policy would still do it, so many passes over a log stay stable.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.data.batches import shuffled
from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations, join, take
from core.models.policy import Policy
from core.rl.algorithm import Algorithm, Metrics
from core.rl.regularizer import Regularizer
from core.rl.rollout import collect
from core.rl.settings import RLSettings
from core.util.errors import SteerError


@dataclass
class LoggedDecisions:
    """Decisions that some policy made, with what came of them.

    Attributes:
        observations: the states.
        actions: int64 of shape (rows, picks).
        log_propensities: log-probability of each pick under the policy that made it, float32 of shape (rows, picks).
        rewards: of the whole action, float32 of shape (rows,).
        reference: see `Policy.log_probs_for_kl`; None without a KL penalty.
        every: reward of every action where those are known too, float32 of shape (rows, actions).
    """

    observations: Observations
    actions: Tensor
    log_propensities: Tensor
    rewards: Tensor
    reference: Tensor | None = None
    every: Tensor | None = None

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

    def __len__(self) -> int:
        return len(self.actions)

    def __add__(self, later: "LoggedDecisions") -> "LoggedDecisions":
        """Both logs as one, with what both of them have; references are left out, as an algorithm notes those anew."""
        return LoggedDecisions(
            join([self.observations, later.observations]),
            torch.cat([self.actions, later.actions]),
            torch.cat([self.log_propensities, later.log_propensities]),
            torch.cat([self.rewards, later.rewards]),
            every=None if self.every is None or later.every is None else torch.cat([self.every, later.every]),
        )

    def rows(self, at: np.ndarray) -> "LoggedDecisions":
        """Some of the decisions."""
        return LoggedDecisions(
            take(self.observations, at),
            self.actions[at],
            self.log_propensities[at],
            self.rewards[at],
            None if self.reference is None else self.reference[at],
            None if self.every is None else self.every[at],
        )


def log_decisions(policy: Policy, env: EpisodeEnv, *, steps: int, seed: int) -> LoggedDecisions:
    """What `policy` does by sampling, as a log; each decision is paid with its own step's reward."""
    begin, _ = env.reset(seed=seed)
    rollout = collect(policy, env, steps=steps, seed=seed, gamma=1.0, begin=begin)
    return LoggedDecisions(rollout.observations, rollout.actions, rollout.log_probs, rollout.rewards.sum(1))


class OffPolicy(Algorithm):
    """Learns from a log, without acting.

    Args:
        log: the decisions.
        settings: see `RLSettings`.
        reference: frozen policy to stay close to; None leaves the KL penalty out.
    """

    def __init__(self, log: LoggedDecisions, settings: RLSettings, reference: Policy | None = None) -> None:
        self.log, self.settings = log, settings
        self.regularize = Regularizer(settings)
        self.baseline = log.rewards.mean() if settings.baseline is None else torch.tensor(settings.baseline)
        if reference is not None and settings.kl > 0:
            log.reference = reference.log_probs_for_kl(log.observations, log.actions)

    def updates_per_iteration(self) -> int:
        return math.ceil(len(self.log) / self.settings.batch_size)

    def batches(self, policy: Policy, seed: int) -> Iterator[LoggedDecisions]:
        lengths = policy.lengths(self.log.observations)
        for rows in shuffled(lengths, self.settings.batch_size, np.random.default_rng(seed)):
            yield self.log.rows(rows)

    def loss(self, policy: Policy, batch: LoggedDecisions) -> tuple[Tensor, Metrics]:
        output = policy(batch.observations, batch.actions)
        device = output.values.device
        log_probs = output.distribution.log_prob(batch.actions.to(device)).sum(1)
        weights = (log_probs.detach() - batch.log_propensities.to(device).sum(1)).exp()
        gains = (batch.rewards - self.baseline).to(device)
        kept = torch.where(gains > 0, weights.clamp(min=self.settings.weight_floor), weights)
        loss = -(kept.clamp(max=self.settings.weight_clip) * gains * log_probs).mean()
        loss, metrics = self.regularize(loss, output, batch.reference)
        cut = (weights > self.settings.weight_clip).float().mean().item()
        # How many decisions the log is worth to this policy (Kong 1992), as a share.
        effective = (weights.sum().square() / (weights.square().sum() * len(weights)).clamp_min(1e-12)).item()
        return loss, metrics | {"weights_cut": cut, "effective_share": effective}

    def end_iteration(self, policy: Policy, figures: Metrics) -> None:
        self.regularize.end_iteration(figures)

    def state(self) -> dict[str, Tensor]:
        return self.regularize.state()

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        self.regularize.load_state(tensors)
