"""Taking, now and then, another than the best action, so that the log can tell what that would have brought."""

import numpy as np


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

    def rank(self, logits: np.ndarray, length: int) -> tuple[np.ndarray, float]:
        """A list without repetition, and its propensity as a whole.

        Args:
            logits: Score of each item, float of shape (items,).
            length: Length of the list.

        Returns:
            Rows of the items, int64 of shape (length,), and the probability that this rule shows that very list.
        """
        rows = best = np.argsort(-logits, kind="stable")[:length]
        if not self.share:
            return best, 1.0
        if self._chance.random() < self.share:  # Plackett-Luce by the Gumbel trick, as in training
            rows = np.argsort(-(logits + self._chance.gumbel(size=len(logits))), kind="stable")[:length]
        sampled = _plackett_luce(logits, rows)
        return rows, float(self.share * sampled + (1 - self.share) * np.array_equal(rows, best))


def _plackett_luce(logits: np.ndarray, rows: np.ndarray) -> float:
    """Probability of a list (Plackett 1975): each pick among what is left."""
    weights = np.exp(logits - logits.max())
    taken = weights[rows]
    left = weights.sum() - np.concatenate([[0.0], taken.cumsum()[:-1]])
    return float(np.prod(taken / np.maximum(left, 1e-12)))
