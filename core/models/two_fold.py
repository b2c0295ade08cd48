"""Two policies in one, each of which judges the half of the data that it has not learnt from.

What is learnt from beliefs about examples that the beliefs were trained on is wrong about all others. Two-fold
cross-fitting (Chernozhukov et al. 2018) gives beliefs about every example as they would be if it were new.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from core.envs.observations import Column, Observations, take
from core.models.actor_critic import ActorCritic
from core.models.state_encoder import StateEncoder

# Which half each value of the encoder's column belongs to, bool of shape (values,).
Halves = Callable[[Column], np.ndarray]


def two_fold(policies: Sequence[ActorCritic], halves: Halves) -> ActorCritic:
    """A policy that trains one of two in each half of the data, and asks the other one about it.

    Args:
        policies: Two untrained policies of one shape.
        halves: Function that tells the half of a state by what the encoder reads.
    """
    first, second = policies
    routing = _Routing(halves)
    # A frozen encoder says the same in both.
    is_trained = any(each.requires_grad for each in first.encoder.parameters())
    encoder = TwoFoldEncoder((first.encoder, second.encoder if is_trained else first.encoder), routing)
    head = TwoFoldHead((first.head, second.head), routing, first.column)
    return ActorCritic(encoder, head, column=first.column, picks=first.picks)


class _Routing:
    def __init__(self, halves: Halves) -> None:
        self.halves, self.is_learnt = halves, False

    def rows(self, column: Column, *, is_training: bool) -> list[np.ndarray]:
        """Row numbers that go to the first policy and to the second."""
        half = self.halves(column) ^ (is_training and not self.is_learnt)
        return [np.flatnonzero(~half), np.flatnonzero(half)]


class TwoFoldEncoder(StateEncoder):
    """The encoders of both policies.

    Args:
        encoders: Encoder of each.
        routing: Tells which of them reads a value.
    """

    def __init__(self, encoders: Sequence[StateEncoder], routing: _Routing) -> None:
        super().__init__()
        self.both, self.routing, self.width = nn.ModuleList(encoders), routing, encoders[0].width

    def forward(self, column: Column) -> Tensor:
        """Float32 of shape (values, width)."""

        def told(encoder: nn.Module, rows: np.ndarray) -> Tensor:
            return encoder(take({"column": column}, rows)["column"])

        return _of_both(self.both, self.routing.rows(column, is_training=self.training), told)

    def lengths(self, column: Column) -> list[int]:
        """Cost of each value, as the first encoder tells it."""
        return self._encoders[0].lengths(column)

    def observe(self, column: Column) -> None:
        for encoder in self._encoders:
            encoder.observe(column)

    def after_step(self, done: int, total: int) -> None:
        for encoder in self._encoders:
            encoder.after_step(done, total)

    def allow_second_derivatives(self) -> None:
        for encoder in self._encoders:
            encoder.allow_second_derivatives()

    def freeze(self) -> None:
        self.routing.is_learnt = True
        for encoder in self._encoders:
            encoder.freeze()

    def save(self, folder: Path) -> None:
        for number, encoder in enumerate(self._encoders):
            encoder.save(folder / str(number))

    def load(self, folder: Path) -> None:
        for number, encoder in enumerate(self._encoders):
            encoder.load(folder / str(number))

    @property
    def _encoders(self) -> list[StateEncoder]:
        return [each for each in self.both if isinstance(each, StateEncoder)]


class TwoFoldHead(nn.Module):
    """The heads of both policies.

    Args:
        heads: Head of each.
        routing: As of the encoder.
        column: Name of the column that the encoder reads.
    """

    def __init__(self, heads: Sequence[nn.Module], routing: _Routing, column: str) -> None:
        super().__init__()
        self.both, self.routing, self.column = nn.ModuleList(heads), routing, column

    def forward(self, state: Tensor, observations: Observations) -> Tensor:
        """Logits, float32 of shape (rows, actions)."""

        def told(head: nn.Module, rows: np.ndarray) -> Tensor:
            return head(state[torch.as_tensor(rows, device=state.device)], take(observations, rows))

        return _of_both(self.both, self.routing.rows(observations[self.column], is_training=self.training), told)


def _of_both(modules: nn.ModuleList, rows: list[np.ndarray], told: Callable[[nn.Module, np.ndarray], Tensor]) -> Tensor:
    parts = []
    for module, mine in zip(modules, rows, strict=True):
        # Whom no row goes to is asked all the same: every process has to have gradients of the same parameters.
        asked = mine if len(mine) else np.zeros(1, dtype=np.int64)
        parts.append(told(module, asked)[: len(mine)])
    order = torch.as_tensor(np.concatenate(rows).argsort(), device=parts[0].device)
    return torch.cat(parts)[order]
