"""Taking, now and then, another than the best action, so that the log can tell what that would have brought."""

import numpy as np
import torch

from core.models.distributions import ChoiceDistribution


class Explorer:
    """Acts greedily, except in a share of decisions, which are sampled from the policy.

    Args:
        share: Share of decisions that are sampled; 0 never explores.
        seed: Seed of the chance; None for real chance.
    """

    def __init__(self, share: float = 0.0, seed: int | None = None) -> None:
        self.share = share
        self._chance = np.random.default_rng(seed)

    def __reduce__(self) -> tuple[type["Explorer"], tuple[float]]:
        """In another process it has chance of its own: a copy of this one would draw the same again and again."""
        return Explorer, (self.share,)

    def choose(self, probs: np.ndarray) -> tuple[int, float]:
        """An action, and the probability with which this rule takes it (its propensity).

        Args:
            probs: Probability of each action under the policy, float of shape (actions,); they need not sum to 1.
        """
        probs = probs / probs.sum()
        best = int(probs.argmax())
        action = int(self._chance.choice(len(probs), p=probs)) if self._chance.random() < self.share else best
        return action, float(self.share * probs[action] + (1 - self.share) * (action == best))

    def rank(self, lists: ChoiceDistribution) -> tuple[np.ndarray, float]:
        """A list without repetition, and its propensity as a whole.

        Args:
            lists: Distribution over the lists of one state.

        Returns:
            Rows of the items, int64 of shape (picks,), and the probability that this rule shows that very list.
        """
        drawn = best = lists.mode()
        if not self.share:
            return best[0].numpy(), 1.0
        if self._chance.random() < self.share:
            drawn = lists.sample(torch.Generator().manual_seed(int(self._chance.integers(2**63))))
        sampled = float(lists.log_prob(drawn).double().sum().exp())
        return drawn[0].numpy(), float(self.share * sampled + (1 - self.share) * torch.equal(drawn, best))
