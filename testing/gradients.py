"""Every algorithm's gradient against the closed form, on a bandit of three actions in float64.

All actions (or all groups of two) stand in the batch, weighted by their probability, so that the batch's mean is the
expectation itself and nothing is left to chance.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations, count
from core.models.distributions import Categorical
from core.models.policy import Policy, PolicyOutput, PolicyStep
from core.rl.a2c import A2C, A2CSettings
from core.rl.algorithm import Algorithm
from core.rl.all_action import AllAction, AllActionSettings, RewardedStates
from core.rl.grpo import GRPO, GRPOSettings
from core.rl.off_policy import LoggedDecisions, OffPolicy, OffPolicySettings
from core.rl.ppo import PPO, PPOSettings
from core.rl.reinforce import Reinforce, ReinforceSettings
from core.rl.rollout import Rollout, group_relative, leave_one_out
from core.rl.trpo import TRPO, TRPOSettings

REWARDS = torch.tensor([1.0, -0.5, 0.25], dtype=torch.float64)
START = torch.tensor([0.2, -0.1, 0.4], dtype=torch.float64)
NO_ENV = cast(EpisodeEnv, None)  # the losses are handed their rows


class ThreeLogits(Policy):
    """A policy that is nothing but three numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(START.clone())

    def forward(self, observations: Observations, actions: Tensor | None = None) -> PolicyOutput:
        rows = count(observations)
        distribution = Categorical.__new__(Categorical)  # its constructor would round to float32
        distribution.log_probs = self.theta.log_softmax(-1).expand(rows, -1)
        return PolicyOutput(distribution, torch.zeros(rows, 1, dtype=torch.float64))

    def sample(self, observations: Observations, generator: torch.Generator) -> PolicyStep:
        raise NotImplementedError

    def predict(self, observations: Observations) -> np.ndarray:
        raise NotImplementedError

    def value(self, observations: Observations) -> Tensor:
        return torch.zeros(count(observations))

    def log_prob(self, observations: Observations, actions: Tensor) -> Tensor:
        return self(observations).distribution.log_prob(actions).detach()

    def log_probs_for_kl(self, observations: Observations, actions: Tensor) -> Tensor:
        return self(observations).distribution.log_probs.detach()

    def lengths(self, observations: Observations) -> list[int]:
        return [1] * count(observations)

    def pretrained_parameters(self) -> Iterator[nn.Parameter]:
        return self.parameters()

    def actor_parameters(self) -> list[nn.Parameter]:
        return [self.theta]

    def allow_second_derivatives(self) -> None:
        """Plain numbers have them."""

    @property
    def device(self) -> torch.device:
        return self.theta.device


def states(rows: int) -> Observations:
    """So many times the one state."""
    return {"text": ("state",) * rows}


def rollout(actions: Tensor, advantages: Tensor) -> Rollout:
    """Rows of one pick each, acted by the starting policy."""
    rows = len(actions)
    actions, zeros = actions[:, None], torch.zeros(rows, 1, dtype=torch.float64)
    return Rollout(
        observations=states(rows),
        actions=actions,
        mask=torch.ones(rows, 1, dtype=torch.bool),
        log_probs=START.log_softmax(-1)[actions],
        values=zeros,
        rewards=zeros,
        dones=torch.ones(rows, dtype=torch.bool),
        final_values=torch.zeros(rows),
        last_values=torch.zeros(1),
        episode_returns=np.zeros(0),
        advantages=advantages[:, None],
        returns=zeros,
    )


def every_action() -> Rollout:
    """Each action once, its reward weighted by its probability."""
    return rollout(torch.arange(3), REWARDS * START.softmax(-1) * 3)


def every_pair(advantages_of: Callable[[Tensor, int], Tensor]) -> Rollout:
    """Each group of two actions once, the group's advantages weighted by its probability."""
    actions = torch.tensor(list(product(range(3), repeat=2))).reshape(-1)
    weight = START.softmax(-1)[actions].reshape(-1, 2).prod(1).repeat_interleave(2) * len(actions) / 2
    return rollout(actions, advantages_of(REWARDS[actions], 2) * weight)


def expected_reward_gradient() -> Tensor:
    """d/d theta of sum_a pi(a) r(a) = pi (r - E[r])."""
    probs = START.softmax(-1)
    return probs * (REWARDS - (probs * REWARDS).sum())


def grpo_gradient() -> Tensor:
    """Of two rewards, one lies half their distance above the mean and one below; over the deviation plus 1e-4."""
    probs, total = START.softmax(-1), torch.zeros(3, dtype=torch.float64)
    for a, b in product(range(3), repeat=2):
        gap = REWARDS[a] - REWARDS[b]
        advantage = (gap / 2) / (gap.abs() / 2**0.5 + 1e-4)
        for action, sign in ((a, 1.0), (b, -1.0)):
            score = -probs.clone()
            score[action] += 1
            total += probs[a] * probs[b] * sign * advantage * score / 2
    return total


def natural_direction(damping: float) -> Tensor:
    """(F + damping I)^-1 g with the softmax's Fisher matrix F = diag(pi) - pi pi^T, at length 1."""
    probs = START.softmax(-1)
    fisher = probs.diag() - probs.outer(probs) + damping * torch.eye(3, dtype=torch.float64)
    direction = torch.linalg.solve(fisher, expected_reward_gradient())
    return direction / direction.norm()


def relative_errors() -> dict[str, float]:
    """Distance from the closed form over its length, by algorithm."""
    plain: dict[str, Any] = {"ent_coef": 0, "kl_coef": 0}
    pairs: dict[str, Any] = plain | {"num_generations": 2}
    trpo = TRPOSettings(**plain)
    logged = LoggedDecisions(  # the log took the first action half of the time, the others a quarter each
        states(4),
        torch.tensor([[0], [0], [1], [2]]),
        torch.tensor([[0.5], [0.5], [0.25], [0.25]], dtype=torch.float64).log(),
        REWARDS[[0, 0, 1, 2]],
    )
    whole = RewardedStates(states(1), REWARDS.numpy()[None])
    target = expected_reward_gradient()
    cases: dict[str, tuple[Algorithm, Any, Tensor]] = {
        "all_action": (AllAction(states(1), lambda _: whole.rewards, AllActionSettings(**plain)), whole, target),
        "ppo": (PPO(NO_ENV, PPOSettings(**plain, vf_coef=0)), every_action(), target),
        "a2c": (A2C(NO_ENV, A2CSettings(**plain, vf_coef=0)), every_action(), target),
        "reinforce": (Reinforce(NO_ENV, ReinforceSettings(**pairs)), every_pair(leave_one_out), target),
        "grpo": (GRPO(NO_ENV, GRPOSettings(**pairs)), every_pair(group_relative), grpo_gradient()),
        "off_policy": (OffPolicy(logged, OffPolicySettings(**plain, is_weight_max=1e9)), logged, target),
    }
    errors = {name: _distance(_ascent(*case[:2]), case[2]) for name, case in cases.items()}
    return errors | {"trpo": _distance(_trpo_direction(trpo), natural_direction(trpo.cg_damping))}


def _ascent(algorithm: Algorithm, batch: Any) -> Tensor:
    policy = ThreeLogits()
    loss, _ = algorithm.loss(policy, batch)
    loss.backward()
    assert policy.theta.grad is not None
    return -policy.theta.grad


def _trpo_direction(settings: TRPOSettings) -> Tensor:
    policy = ThreeLogits()
    TRPO(NO_ENV, settings).natural_step(policy, every_action())
    moved = policy.theta.detach() - START
    return moved / moved.norm()


def _distance(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())
