"""A learnt correction to the best known rule for alerts, and the few numbers that it is served as.

Residual reinforcement learning (Silver et al. 2018; Johannink et al. 2019): log-odds of alerting are
`SHARPNESS` times the best rule's distance from its tuned threshold, plus a small network of the whole state whose last
layer begins at zero. Before its first step the policy is the rule.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from apps.finance_monitor.alerting.course import FEATURES
from apps.finance_monitor.alerting.rule import BASE, SHARPNESS
from core.envs.observations import Observations
from core.models.actor_critic import ActorCritic
from core.models.features import FeatureEncoder

_HIDDEN = (32, 32)


class LogEncoder(FeatureEncoder):
    """Counts, hours and rates by their logarithms."""

    def _tensor(self, column: Sequence[np.ndarray] | np.ndarray) -> Tensor:
        return super()._tensor(column).log1p()


class AlertHead(nn.Module):
    """Logits of waiting (0) and of alerting.

    Args:
        width: Length of the encoder's vector.
        threshold: Threshold of the statistic by which the rule alerts.
    """

    running_threshold: Tensor

    def __init__(self, width: int, threshold: float) -> None:
        super().__init__()
        self.register_buffer("running_threshold", torch.tensor(threshold))
        self.correction = nn.Linear(width, 1)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    def forward(self, state: Tensor, observations: Observations) -> Tensor:
        """Logits, float32 of shape (states, 2)."""
        score = torch.as_tensor(BASE.score(np.asarray(observations["features"])), device=state.device).float()
        alert = SHARPNESS * (score - self.running_threshold) + self.correction(state).squeeze(-1)
        return torch.stack([torch.zeros_like(alert), alert], dim=-1)


def alert_policy(threshold: float) -> ActorCritic:
    """A policy that is still the rule."""
    encoder = LogEncoder(len(FEATURES), _HIDDEN)
    critic = LogEncoder(len(FEATURES), _HIDDEN)
    return ActorCritic(encoder, AlertHead(encoder.width, threshold), column="features", critic_encoder=critic)


def policy_weights(policy: ActorCritic) -> dict[str, np.ndarray]:
    """What `alerting.rule` serves: the actor's tensors by name."""
    return {name: tensor.numpy() for name, tensor in policy.state().items() if not name.startswith("critic")}
