"""What every algorithm asks of a policy, whether it chooses or writes."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from core.envs.observations import Observations
from core.models.devices import gather_full, shard_like
from core.models.distributions import ActionDistribution
from core.util.errors import SteerError

_WEIGHTS = "policy.safetensors"


@dataclass
class PolicyOutput:
    """What one forward pass says about a batch of states.

    Attributes:
        distribution: Distribution over actions.
        values: Return expected from each pick on, float32 of shape (states, picks).
    """

    distribution: ActionDistribution
    values: Tensor


@dataclass
class PolicyStep:
    """What a policy did in a batch of states, on the CPU.

    Attributes:
        actions: Picks in each state, int64 of shape (states, picks).
        mask: Whether each pick was made, bool of shape (states, picks); false behind the end of a text that is shorter
            than its neighbours.
        log_probs: Log-probability of each pick when it was made, float32 of shape (states, picks).
        values: Return expected from each pick on, float32 of shape (states, picks).
    """

    actions: Tensor
    mask: Tensor
    log_probs: Tensor
    values: Tensor


class Policy(nn.Module, ABC):
    """A distribution over actions and a critic, on a pretrained transformer."""

    @abstractmethod
    def forward(self, observations: Observations, actions: Tensor | None = None) -> PolicyOutput:
        """Distribution and values of a batch of states, with gradients.

        Args:
            observations: States of the batch.
            actions: Picks in each state, int64 of shape (states, picks); only policies whose later picks depend on
                earlier ones need them.
        """

    @abstractmethod
    def sample(self, observations: Observations, generator: torch.Generator) -> PolicyStep:
        """Draw an action in each of any number of states, without gradients.

        Args:
            observations: States to act in.
            generator: Source of chance, on the policy's device.
        """

    @abstractmethod
    def predict(self, observations: Observations) -> np.ndarray:
        """The most probable action of each of any number of states, int64 of shape (states, picks)."""

    @abstractmethod
    def value(self, observations: Observations) -> Tensor:
        """Return that the critic expects from each of any number of states on, float32 of shape (states,) on the CPU.

        No action is drawn and no text is written for it.
        """

    @abstractmethod
    def log_prob(self, observations: Observations, actions: Tensor) -> Tensor:
        """Log-probability of each pick of given actions, float32 of shape (states, picks) on the CPU.

        Args:
            observations: Any number of states.
            actions: Picks in each state, int64 of shape (states, picks).
        """

    @abstractmethod
    def log_probs_for_kl(self, observations: Observations, actions: Tensor) -> Tensor:
        """What `ActionDistribution.kl` takes as the reference, of any number of states, on the CPU."""

    @abstractmethod
    def lengths(self, observations: Observations) -> list[int]:
        """Cost of each state, in tokens or history items."""

    @abstractmethod
    def pretrained_parameters(self) -> Iterator[nn.Parameter]:
        """Those that learn at the slower rate."""

    @abstractmethod
    def actor_parameters(self) -> list[nn.Parameter]:
        """Trained parameters that the distribution depends on: all but the critic's."""

    @abstractmethod
    def allow_second_derivatives(self) -> None:
        """Run attention and arithmetic such that gradients can be differentiated again."""

    def observe(self, observations: Observations) -> None:
        """Take states into running statistics, for policies that keep such."""

    def after_step(self, done: int, total: int) -> None:
        """Adapt after a step of the optimiser, while the gradients are still there.

        Args:
            done: Number of the optimiser's steps so far.
            total: Number of steps in the whole stage.
        """

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the weights lie."""

    def set_dropout(self, rate: float) -> None:
        """Set every dropout, attention's too; above 0 the ratio of PPO compares two different networks."""
        set_dropout(self, rate)

    def state(self) -> dict[str, Tensor]:
        """Copies of what training changes, on the CPU: trainable parameters and running statistics."""
        trained: dict[str, Tensor] = {
            name: parameter for name, parameter in self.named_parameters() if parameter.requires_grad
        }
        trained |= {
            name: buffer for name, buffer in self.named_buffers() if name.rpartition(".")[2].startswith("running")
        }
        return {name: gather_full(tensor).detach().cpu().clone() for name, tensor in trained.items()}

    def load_state(self, tensors: dict[str, Tensor], source: str) -> None:
        """Take over what `state` gave.

        Args:
            tensors: Trained tensors by name.
            source: Origin of them, for the error message.

        Raises:
            SteerError: Names or shapes are not this policy's.
        """
        own = self.state()
        wrong = sorted(
            name
            for name in own.keys() | tensors.keys()
            if name not in own or name not in tensors or own[name].shape != tensors[name].shape
        )
        if wrong:
            raise SteerError(
                f"{source} belongs to another model: {wrong[0]} does not fit "
                f"({len(wrong)} tensors in all). Train again, or use the configuration that it was made with."
            )
        patterns = dict(self.named_parameters())
        parts = {name: shard_like(tensor, patterns.get(name, tensor)) for name, tensor in tensors.items()}
        self.load_state_dict(parts, strict=False)

    def save(self, folder: Path) -> None:
        """Write whatever `load` needs: the trained tensors, as `policy.safetensors`, and small files beside it."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in self.state().items()}, folder / _WEIGHTS)

    def export(self, folder: Path) -> None:
        """Write the whole pretrained model in `save_pretrained` format, for other programs; Steer never reads it."""

    def load(self, folder: Path) -> None:
        """Read what `save` wrote into this policy.

        Raises:
            SteerError: No such file, a file cut short, or one of another model.
        """
        path = folder / _WEIGHTS
        try:
            tensors = load_file(path)
        except Exception as error:  # safetensors raises its own type for each kind of damage
            raise SteerError(f"cannot read {path} ({error}); train again or restore it.") from error
        self.load_state(tensors, str(path))


def set_dropout(network: nn.Module, rate: float) -> None:
    """Set the rate of every dropout in a network: modules, and numbers that modules of their own keep.

    PyTorch's attention and recurrent layers keep `dropout`, the Hub's models `attention_dropout` and their like.
    """
    for module in network.modules():
        if isinstance(module, _DropoutNd):
            module.p = rate
        for name, value in vars(module).items():
            if name.endswith("dropout") and isinstance(value, float):
                setattr(module, name, rate)


@contextmanager
def evaluating(policy: Policy) -> Iterator[None]:
    """Leave dropout and gradients out for a while."""
    training = policy.training
    policy.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        policy.train(training)
