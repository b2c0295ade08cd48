"""What the learner asks of an algorithm, and what all of reinforcement learning adds to its loss."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from core.envs.observations import Observations, count, shuffled, take
from core.models.policy import Policy, PolicyOutput
from core.rl.settings import RLSettings

Metrics = dict[str, float]

# Mark of a batch's field that holds no value for each row.
NOT_BY_ROW = {"by_row": False}


@dataclass
class Batch:
    """Rows of training data: the fields of a subclass hold one value for each row, or None.

    Attributes:
        observations: States of the rows.
    """

    observations: Observations

    def __len__(self) -> int:
        return count(self.observations)

    def rows(self, at: np.ndarray) -> Self:
        """The rows whose numbers are `at`."""
        return replace(self, observations=take(self.observations, at), **self._each(lambda column: column[at]))

    def to(self, device: torch.device) -> Self:
        """All rows as tensors on a device; policies move the states themselves."""
        return replace(self, **self._each(lambda column: torch.as_tensor(column, device=device)))

    def minibatches(
        self, policy: Policy, batch_size: int, seed: int | np.random.Generator, n_epochs: int = 1
    ) -> Iterator[Self]:
        """Passes over the rows, each in another random order, in batches of rows of like length.

        Args:
            policy: Policy that says how long a row is.
            batch_size: Number of rows in each batch; the last one of a pass may be smaller.
            seed: Seed of the order, or a source of chance to go on from.
            n_epochs: Number of passes.
        """
        generator, lengths = np.random.default_rng(seed), policy.lengths(self.observations)
        for _ in range(n_epochs):
            for at in shuffled(lengths, batch_size, generator):
                yield self.rows(at)

    def _each(self, change: Callable[[Any], Any]) -> dict[str, Any]:
        columns = {field.name: getattr(self, field.name) for field in fields(self) if field.metadata != NOT_BY_ROW}
        return {name: change(column) for name, column in columns.items() if isinstance(column, Tensor | np.ndarray)}


Step = Callable[[Any], Metrics]


class Algorithm(ABC):
    """Learns in iterations, each of which makes one or several updates of the policy."""

    @abstractmethod
    def updates_per_iteration(self) -> int:
        """Gradient steps of one whole iteration, for the schedule of the learning rate."""

    @abstractmethod
    def updates(self, policy: Policy, seed: int, step: Step) -> Iterator[Metrics]:
        """One iteration, update by update.

        Args:
            policy: Policy that is changed in place.
            seed: Seed of everything random in the iteration.
            step: The learner's gradient step on the loss of a `Batch`, which is equal in all processes.

        Yields:
            Metrics of each update.
        """

    @abstractmethod
    def loss(self, policy: Policy, batch: Any) -> tuple[Tensor, Metrics]:
        """Scalar loss, a mean over the rows of a batch on the policy's device, and metrics for the log.

        A mean over rows is what lets the learner divide a batch between processes and accumulate its parts.
        """

    def end_iteration(self, policy: Policy, metrics: Metrics) -> None:  # noqa: B027 - few have anything to adapt
        """Adapt to the metrics of the iteration that has ended (means over its updates and processes)."""

    def state(self) -> dict[str, Tensor]:
        """What must survive a kill besides the policy and the optimiser."""
        return {}

    def load_state(self, tensors: dict[str, Tensor]) -> None:  # noqa: B027 - few keep anything
        """Take over what `state` gave."""


class RLAlgorithm(Algorithm):
    """Adds an entropy bonus and a KL penalty to the loss; the penalty's weight is fixed, or follows a target.

    Adaptive weight: Ziegler et al. 2019, "Fine-Tuning Language Models from Human Preferences", section 2.2.

    Args:
        settings: Settings of the algorithm.
        reference: Frozen policy to stay close to; None leaves the KL penalty out.
    """

    settings: RLSettings

    def __init__(self, settings: RLSettings, reference: Policy | None = None) -> None:
        self.settings, self.kl_coef = settings, settings.kl_coef
        self.reference = reference if settings.kl_coef > 0 else None

    def regularize(self, loss: Tensor, output: PolicyOutput, reference: Tensor | None) -> tuple[Tensor, Metrics]:
        """The loss with both terms, and their metrics.

        Args:
            loss: Loss of the policy, a scalar.
            output: Output of the same forward pass.
            reference: Log-probabilities of the reference policy, see `Policy.log_probs_for_kl`; None without one.
        """
        # entropy bonus
        entropy = output.distribution.entropy().mean()
        loss = loss - self.settings.ent_coef * entropy
        metrics = {"entropy": entropy.item()}
        # KL penalty
        if reference is not None:
            kl = output.distribution.kl(reference).mean()
            loss = loss + self.kl_coef * kl
            metrics |= {"kl": kl.item(), "kl_coef": self.kl_coef}
        return loss, metrics | {"loss": loss.item()}

    def end_iteration(self, policy: Policy, metrics: Metrics) -> None:
        """Raise the penalty's weight where the policy strayed further than the target, lower it where less."""
        target = self.settings.kl_coef_target
        if target is not None and "kl" in metrics:
            self.kl_coef *= 1 + min(max(metrics["kl"] / target - 1, -0.2), 0.2)

    def state(self) -> dict[str, Tensor]:
        return {"kl_coef": torch.tensor(self.kl_coef, dtype=torch.float64)}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        self.kl_coef = float(tensors["kl_coef"])
