"""What the learner asks of an algorithm."""

from collections.abc import Iterator
from typing import Protocol, TypeVar

from torch import Tensor

from core.models.policy import ActorCritic

Batch = TypeVar("Batch")

Metrics = dict[str, float]


class Algorithm(Protocol[Batch]):
    """One iteration yields batches; the learner takes a gradient step on the loss of each."""

    def updates_an_iteration(self) -> int:
        """Gradient steps of one whole iteration, for the schedule of the learning rate."""
        ...

    def batches(self, policy: ActorCritic, seed: int) -> Iterator[Batch]:
        """The batches of one iteration; all randomness comes from `seed`."""
        ...

    def loss(self, policy: ActorCritic, batch: Batch) -> tuple[Tensor, Metrics]:
        """Scalar loss of one batch, and figures for the log."""
        ...
