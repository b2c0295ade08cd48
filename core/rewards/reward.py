"""A reward: named terms of (state, action, truth), composed by weights.

It is written once and derived from everywhere: what an environment pays, the table of all actions that the exact
gradient climbs, the table that the cost-optimal rule minimises over, and what people's feedback is worth.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

import numpy as np

from core.util.errors import SteerError

State = TypeVar("State")
Action = TypeVar("Action")
Truth = TypeVar("Truth")

# A number for one action, or an array for several at once; what its axes are is the app's matter.
Term = Callable[[State, Action, Truth], Any]


@dataclass(frozen=True)
class Reward(Generic[State, Action, Truth]):
    """Weighted sum of terms.

    Attributes:
        terms: Function of (state, action, truth) by name; an outcome is a term that is 1 where it happens, else 0.
        weights: Weight of each term.
    """

    terms: Mapping[str, Term[State, Action, Truth]]
    weights: Mapping[str, float]

    def with_weights(self, settings: Mapping[str, float]) -> Self:
        """The reward with the weights that `settings` change.

        Raises:
            SteerError: A name that no term has.
        """
        unknown = sorted(set(settings) - set(self.terms))
        if unknown:
            raise SteerError(f"unknown reward {unknown[0]!r}; there are {', '.join(self.terms)}")
        return type(self)(self.terms, {**self.weights, **settings})

    def __call__(self, state: State, action: Action, truth: Truth) -> Any:
        """What the action is worth in the state, given what is true.

        Only what counts is worked out; where nothing does, one term is, for the shape of its zeros.
        """
        counting = [name for name in self.terms if self.weights[name]] or list(self.terms)[:1]
        return sum(self.weights[name] * self.terms[name](state, action, truth) for name in counting)

    def parts(self, state: State, action: Action, truth: Truth) -> dict[str, Any]:
        """Each term, unweighted."""
        return {name: term(state, action, truth) for name, term in self.terms.items()}

    def table(self, state: State, actions: Sequence[Action], truths: Sequence[Truth]) -> np.ndarray:
        """What each action is worth in a state, whatever is true: float32 of shape (truths, actions)."""
        rows = [[self(state, action, truth) for action in actions] for truth in truths]
        return np.array(rows, dtype=np.float32).reshape(len(truths), len(actions))

    def from_opinion(self, state: State, action: Action, wrong: Truth, right: Truth, value: float) -> float:
        """What an action is worth that people value between -1 (wrong) and 1 (right).

        Args:
            state: State in which the action was taken.
            action: Action that people judged.
            wrong: Truth in which the action would be plainly wrong.
            right: Truth in which it would be plainly right.
            value: Mean of their opinions.
        """
        low, high = self(state, action, wrong), self(state, action, right)
        return float(low + (high - low) * (value + 1) / 2)
