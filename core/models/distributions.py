"""What a policy draws its actions from.

All distributions share one interface. An action is a row of picks: one for a choice, several for a list or a text.
Rows of `logits` may hold `-inf` for options that are not on offer.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class ActionDistribution(ABC):
    """Distribution over rows of picks.

    Args:
        logits: Unnormalised log-probabilities, float32 of shape (rows, options).
    """

    def __init__(self, logits: Tensor) -> None:
        self.log_probs = logits.float().log_softmax(-1)

    @property
    def probs(self) -> Tensor:
        """Probability of each option as the first pick, shape (rows, options)."""
        return self.log_probs.exp()

    def entropy(self) -> Tensor:
        """Entropy of the first pick in nats, shape (rows,)."""
        return -(self.probs * self.log_probs.clamp_min(-1e4)).sum(-1)

    def kl(self, reference_log_probs: Tensor) -> Tensor:
        """KL(self || reference) of the first pick in nats, shape (rows,)."""
        gap = self.log_probs.clamp_min(-1e4) - reference_log_probs.clamp_min(-1e4)
        return (self.probs * gap).sum(-1)

    def fisher_factors(self) -> tuple[Tensor, Tensor]:
        """Log-probabilities y and their weights w: where both distributions are equal, `kl` curves by w dy dy'.

        Both are of one shape, float32 of shape (rows, options) or (rows, picks); what they say of a row is summed up.
        """
        return self.log_probs, self.probs.detach()

    @abstractmethod
    def log_prob(self, actions: Tensor) -> Tensor:
        """Log-probability of each pick given the picks before it, shape (rows, picks)."""


class ChoiceDistribution(ActionDistribution):
    """Distribution that one look at the state determines."""

    @abstractmethod
    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Random actions, int64 of shape (rows, picks)."""

    @abstractmethod
    def mode(self) -> Tensor:
        """Most probable actions, int64 of shape (rows, picks)."""


class Categorical(ChoiceDistribution):
    """One pick out of several options."""

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        return torch.multinomial(self.probs, 1, generator=generator)

    def mode(self) -> Tensor:
        return self.log_probs.argmax(-1, keepdim=True)

    def log_prob(self, actions: Tensor) -> Tensor:
        return self.log_probs.gather(-1, actions)


class PlackettLuce(ChoiceDistribution):
    """A list of `length` different options, drawn one after the other without replacement.

    Luce (1959), Plackett (1975); sampled by the Gumbel top-k trick (Kool et al. 2019, "Stochastic Beams and Where to
    Find Them", equation 6).
    """

    def __init__(self, logits: Tensor, length: int) -> None:
        super().__init__(logits)
        self.length = length

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        uniform = torch.rand(self.log_probs.shape, generator=generator, device=self.log_probs.device)
        gumbel = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
        return (self.log_probs + gumbel).topk(self.length, dim=-1).indices

    def mode(self) -> Tensor:
        return self.log_probs.topk(self.length, dim=-1).indices

    def log_prob(self, actions: Tensor) -> Tensor:
        remaining = self.log_probs
        steps = []
        for position in range(actions.shape[1]):
            pick = actions[:, position : position + 1]
            steps.append(remaining.gather(-1, pick) - remaining.logsumexp(-1, keepdim=True))
            remaining = remaining.scatter(-1, pick, float("-inf"))
        return torch.cat(steps, dim=-1)


class TokenSequence(ActionDistribution):
    """Texts whose every token is drawn given the tokens before it.

    Args:
        logits: Unnormalised log-probabilities of each token, float32 of shape (rows, picks, vocabulary).
        actions: Tokens that the logits were computed behind, int64 of shape (rows, picks).
        mask: Whether each token belongs to its text, bool of shape (rows, picks); false behind its end.
    """

    def __init__(self, logits: Tensor, actions: Tensor, mask: Tensor) -> None:
        super().__init__(logits)
        self.actions, self.mask = actions, mask

    def entropy(self) -> Tensor:
        """Mean entropy of a row's tokens in nats, shape (rows,)."""
        return row_mean(-(self.probs * self.log_probs).sum(-1), self.mask)

    def kl(self, reference_log_probs: Tensor) -> Tensor:
        """Estimate of KL(self || reference) per token from the row's own tokens, shape (rows,).

        Unbiased for sampled tokens and never negative (Schulman 2020, "Approximating KL divergence", k3).

        Args:
            reference_log_probs: Log-probabilities of the tokens under the reference, float32 of shape (rows, picks).
        """
        gap = reference_log_probs - self.log_prob(self.actions)
        return row_mean(gap.exp() - gap - 1, self.mask)

    def fisher_factors(self) -> tuple[Tensor, Tensor]:
        return self.log_prob(self.actions), self.mask / self.mask.sum(-1, keepdim=True).clamp_min(1)

    def log_prob(self, actions: Tensor) -> Tensor:
        return self.log_probs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def row_mean(picks: Tensor, mask: Tensor) -> Tensor:
    """Mean over the picks that were made, float32 of shape (rows,).

    Args:
        picks: Value of each pick, float32 of shape (rows, picks).
        mask: Whether each pick was made, bool of shape (rows, picks).
    """
    return (picks * mask).sum(-1) / mask.sum(-1).clamp_min(1)
