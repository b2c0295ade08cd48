"""What turns one column of the observations into vectors."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from torch import Tensor, nn


class StateEncoder(nn.Module, ABC):
    """Encoder of states, for texts, histories, numbers or a user's own; only `forward` and `lengths` are needed.

    Attributes:
        width: Length of a vector.
    """

    width: int

    @abstractmethod
    def forward(self, column: Any) -> Tensor:
        """Vector of each value of a column, float32 of shape (states, width)."""

    @abstractmethod
    def lengths(self, column: Any) -> list[int]:
        """Cost of each value, in any unit that grows with it."""

    def observe(self, column: Any) -> None:
        """Take values into running statistics."""

    def after_step(self, done: int, total: int) -> None:
        """Adapt after a step of the optimiser, see `Policy.after_step`."""

    def allow_second_derivatives(self) -> None:
        """Run attention and arithmetic such that gradients can be differentiated again."""

    def freeze(self) -> None:
        """Take note that the weights stay as they are from now on, so that vectors may be remembered."""

    def for_serving(self) -> None:
        """Become faster, now that nothing is trained any more."""

    def save(self, folder: Path) -> None:
        """Write whatever `load` needs and is no trained tensor."""

    def export(self, folder: Path) -> None:
        """Write the whole encoder for other programs, see `Policy.export`."""

    def load(self, folder: Path) -> None:
        """Read from what `save` wrote whatever is no trained tensor."""
