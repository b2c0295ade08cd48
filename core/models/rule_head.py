"""A policy that decides by the best known rule over beliefs, and learns a correction to it.

Residual reinforcement learning (Silver et al. 2018; Johannink et al. 2019), for choices: a supervised model's
calibrated beliefs about what is right, and the reward of each action in each case, make the expected reward of every
action. The rule takes the highest. Before its first step the policy *is* that rule; what it learns is added to it.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from core.envs.observations import Observations
from core.models.actor_critic import ActorCritic, ChoiceHead
from core.models.policy import PolicyOutput, evaluating
from core.models.two_fold import TwoFoldHead

# Reward of (what is right, action): shape (options, actions) or (states, options, actions), see `Task.reward_table`.
RewardTable = Callable[[Observations], np.ndarray]

# An action that is worth a tenth less is chosen e times less often: RL explores near the rule, and nowhere else.
_SHARPNESS = 10.0
_LEADERS, _IDENTITY, _HIDDEN = 3, 8, 32


class RulePolicy(ActorCritic):
    """The best known rule over the beliefs of a supervised policy, and what is learnt beyond it.

    Beliefs are read and not trained: no gradient reaches the supervised head and its encoder.

    Args:
        supervised: Policy whose probabilities say what is right; its encoder and head become parts of this one.
        rewards: Reward of every action in every case.
        correction: Module that is learnt.
    """

    head: "RuleHead"

    def __init__(self, supervised: ActorCritic, rewards: RewardTable, correction: "Correction") -> None:
        super().__init__(supervised.encoder, RuleHead(supervised.head, rewards, correction), column=supervised.column)
        self.encoder.freeze()

    def forward(self, observations: Observations, actions: Tensor | None = None) -> PolicyOutput:
        del actions  # one pass over the state gives the probability of every action
        with torch.no_grad():
            state = self.encoder(observations[self.column])
        return PolicyOutput(self.distribution(self.head(state, observations), observations), self.critic(state))

    def decide(self, observations: Observations) -> tuple[Tensor, Tensor]:
        """What to do and what to say about it, from one pass, without gradients and on the CPU.

        Returns:
            Log-probability of each action under this policy, float32 of shape (states, actions), and probability that
            each option is right, float32 of shape (states, options).
        """

        def judged(some: Observations) -> tuple[Tensor, Tensor]:
            state = self.encoder(some[self.column])
            log_probs = self.distribution(self.head(state, some), some).log_probs
            return log_probs, self.head.log_beliefs(state, some).exp()

        with evaluating(self):
            log_probs, beliefs = self.in_buckets(judged, observations)
        return log_probs.cpu(), beliefs.cpu()


class RuleHead(nn.Module):
    """Logits of the rule, plus a correction that begins at zero.

    Args:
        belief: Head of the supervised policy, whose softmax is the probability that each option is right.
        rewards: Reward of every action in every case.
        correction: Module that is learnt.
    """

    running_temperature: Tensor

    def __init__(self, belief: nn.Module, rewards: RewardTable, correction: "Correction") -> None:
        super().__init__()
        self.belief, self.rewards, self.factors = belief, rewards, factors_of(belief)
        self.register_buffer("running_temperature", torch.ones([len(self.factors)] if self.factors else []))
        self.correction = correction

    def forward(self, state: Tensor, observations: Observations) -> Tensor:
        """Logits, float32 of shape (rows, actions); -inf where an action is not there."""
        with torch.no_grad():
            log_beliefs = self.log_beliefs(state, observations)
            expected = expected_rewards(log_beliefs.exp(), self.rewards(observations))
        logits = _SHARPNESS * expected + self.correction(log_beliefs, expected, observations)
        return logits.masked_fill(log_beliefs.isneginf(), float("-inf"))

    def log_beliefs(self, state: Tensor, observations: Observations) -> Tensor:
        """Calibrated log-probability that each option is right, float32 of shape (rows, options)."""
        return calibrated(self.belief(state, observations), self.running_temperature, self.factors)


class Correction(nn.Module):
    """What is added to the rule's logits: zero at first, then what training makes of beliefs and expected rewards.

    Each action is looked at by itself, beside the leading beliefs and expected rewards of its state; which action it is
    counts too, and its own features where the observations have a column `features` of shape (rows, candidates,
    features), of which actions behind the candidates see the first candidate's.

    Args:
        actions: Number of actions.
        features: Number of features of each candidate; 0 without such a column.
    """

    def __init__(self, actions: int, features: int = 0) -> None:
        super().__init__()
        self.features, self.leaders = features, min(_LEADERS, actions)
        self.identity = nn.Embedding(actions, _IDENTITY)
        last = nn.Linear(_HIDDEN, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        width = 3 + 2 * self.leaders + _IDENTITY + features
        self.network = nn.Sequential(nn.Linear(width, _HIDDEN), nn.GELU(), last)

    def forward(self, log_beliefs: Tensor, expected: Tensor, observations: Observations) -> Tensor:
        """Correction of each action's logit, float32 of shape (rows, actions)."""
        rows, actions = expected.shape
        beliefs = log_beliefs.exp()
        leaders = torch.cat([each.topk(self.leaders).values for each in (beliefs, expected)], dim=-1)
        own = torch.stack([expected, beliefs, log_beliefs.clamp_min(-10.0) / 10.0], dim=-1)
        identity = self.identity.weight.expand(rows, -1, -1)
        parts = [own, leaders[:, None].expand(-1, actions, -1), identity]
        if self.features:
            features = torch.as_tensor(observations["features"], dtype=torch.float32, device=expected.device)
            behind = features[:, :1].expand(-1, actions - features.shape[1], -1)
            parts.append(torch.cat([features, behind], dim=1))
        return self.network(torch.cat(parts, dim=-1)).squeeze(-1)


def factors_of(head: nn.Module) -> tuple[int, ...]:
    """Number of options of each factor of a head's joint actions; empty where an action is one choice."""
    head = head.both[0] if isinstance(head, TwoFoldHead) else head
    return head.factors if isinstance(head, ChoiceHead) and len(head.factors) > 1 else ()


def of_each_factor(joint: Tensor, factors: tuple[int, ...]) -> list[Tensor]:
    """Log-probabilities of the options of each factor, float32 of shape (rows, options of the factor).

    Args:
        joint: Log-probabilities of joint actions, up to a constant of each row, float32 of shape (rows, actions).
        factors: See `factors_of`.
    """
    table, axes = joint.unflatten(-1, factors), range(1, 1 + len(factors))
    return [table.logsumexp([axis for axis in axes if axis != own]).log_softmax(-1) for own in axes]


def calibrated(logits: Tensor, temperature: Tensor, factors: tuple[int, ...]) -> Tensor:
    """Log-probabilities at a temperature, float32 of shape (rows, actions).

    Args:
        logits: Logits, float32 of shape (rows, actions).
        temperature: Temperature, of shape (); of each factor, shape (factors,), where there are factors.
        factors: See `factors_of`.
    """
    if not factors:
        return (logits / temperature).log_softmax(-1)
    parts = of_each_factor(logits, factors)
    joint = torch.zeros(len(logits), 1, device=logits.device)
    for part, own in zip(parts, temperature, strict=True):
        joint = (joint.unsqueeze(-1) + (part / own).log_softmax(-1).unsqueeze(-2)).flatten(1)
    return joint


def rule_probabilities(beliefs: Tensor, rewards: np.ndarray) -> Tensor:
    """Probability of each action under the rule to which nothing has been added; arguments as of `expected_rewards`."""
    return (_SHARPNESS * expected_rewards(beliefs, rewards)).masked_fill(beliefs == 0, float("-inf")).softmax(-1)


def expected_rewards(beliefs: Tensor, rewards: np.ndarray) -> Tensor:
    """Reward that each action earns on average, float32 of shape (states, actions).

    Args:
        beliefs: Probability that each option is right, float32 of shape (states, options).
        rewards: Reward of (what is right, action), shape (options, actions) or (states, options, actions); options
            behind its last one are never right, such as to abstain.
    """
    table = torch.as_tensor(rewards, dtype=beliefs.dtype, device=beliefs.device)
    known = beliefs[:, : table.shape[-2]]
    known = known / known.sum(-1, keepdim=True)
    return torch.einsum("so,oa->sa" if table.ndim == 2 else "so,soa->sa", known, table)
