"""What the learner asks of an algorithm."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import numpy as np
from torch import Tensor

from core.models.policy import Policy

Metrics = dict[str, float]


class Rows(Protocol):
    """Rows of training data that can be divided."""

    def __len__(self) -> int: ...

    def rows(self, at: np.ndarray) -> Any:
        """Some of the rows."""
        ...


Batch = TypeVar("Batch", bound=Rows)
Loss = Callable[[Batch], tuple[Tensor, Metrics]]
Step = Callable[[Loss[Batch], Batch], Metrics]


class Algorithm(ABC):
    """One iteration yields batches, and each batch an update of the policy."""

    @abstractmethod
    def updates_per_iteration(self) -> int:
        """Gradient steps of one whole iteration, for the schedule of the learning rate."""

    @abstractmethod
    def batches(self, policy: Policy, seed: int) -> Iterator[Any]:
        """The batches of one iteration; all randomness comes from `seed`."""

    @abstractmethod
    def loss(self, policy: Policy, batch: Any) -> tuple[Tensor, Metrics]:
        """Scalar loss, a mean over the rows of `batch`, and figures for the log.

        A mean over rows is what lets the learner divide a batch between processes and accumulate its parts.
        """

    def update(self, policy: Policy, batch: Any, step: Step[Any]) -> Metrics:
        """Change the policy by one batch.

        Args:
            policy: is changed in place.
            batch: one of those that `batches` yields, equal in all processes.
            step: the learner's gradient step on a loss.
        """
        return step(lambda rows: self.loss(policy, rows), batch)

    def end_iteration(self, policy: Policy, figures: Metrics) -> None:  # noqa: B027 - few have anything to adapt
        """Adapt to the figures of the iteration that has ended (means over its updates and processes)."""

    def state(self) -> dict[str, Tensor]:
        """What must survive a kill besides the policy and the optimiser."""
        return {}

    def load_state(self, tensors: dict[str, Tensor]) -> None:  # noqa: B027 - few keep anything
        """Take over what `state` gave."""
