"""The actor-critic policy on an encoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.data.batches import bucketed
from core.envs.observations import Observations, take
from core.errors import SteerError
from core.models.distributions import ActionDistribution, Categorical, PlackettLuce
from core.models.encoder import TextEncoder

_WEIGHTS = "policy.safetensors"


class StateEncoder(Protocol):
    """What turns a column of the observations into vectors (`TextEncoder`, `HistoryEncoder`)."""

    width: int

    def __call__(self, column: Sequence[Any]) -> Tensor: ...

    def lengths(self, column: Sequence[Any]) -> list[int]: ...


@dataclass
class PolicyOutput:
    """What one forward pass says about a batch of states.

    Attributes:
        distribution: over actions.
        values: expected return from each pick on, float32 of shape (states, picks).
    """

    distribution: ActionDistribution
    values: Tensor


class ActorCritic(nn.Module):
    """Encoder, actor head and critic; the critic reads the same vector as the actor.

    Args:
        encoder: reads the column `column` of the observations.
        head: turns (vector, observations) into logits.
        column: name of the observations' column that the encoder reads.
        picks: 1 for a choice, more for a list drawn without replacement (Plackett-Luce).
    """

    encoder: Any

    def __init__(self, encoder: StateEncoder, head: nn.Module, *, column: str = "text", picks: int = 1) -> None:
        super().__init__()
        self.encoder, self.head, self.column, self.picks = encoder, head, column, picks
        self.critic = nn.Linear(encoder.width, picks)
        nn.init.zeros_(self.critic.weight)
        nn.init.zeros_(self.critic.bias)

    def forward(self, observations: Observations) -> PolicyOutput:
        """Distribution and values of a batch of states."""
        state = self.encoder(observations[self.column])
        logits = self.head(state, observations)
        # Detached: the critic's large early errors must not pull the pretrained encoder about.
        return PolicyOutput(self.distribution(logits), self.critic(state.detach()))

    @torch.no_grad()
    def logits(self, observations: Observations, *, tokens_a_batch: int = 4096) -> Tensor:
        """Normalised logits of any number of states on the CPU, without gradients, in batches of like length."""
        rows_by_batch = list(bucketed(self.lengths(observations), tokens_a_batch))
        training = self.training
        self.eval()
        parts = [self(take(observations, rows)).distribution.log_probs.cpu() for rows in rows_by_batch]
        self.train(training)
        order = torch.tensor([row for rows in rows_by_batch for row in rows])
        return torch.cat(parts)[order.argsort()]

    def lengths(self, observations: Observations) -> list[int]:
        """Cost of each state, in tokens or history items."""
        return self.encoder.lengths(observations[self.column])

    def distribution(self, logits: Tensor) -> ActionDistribution:
        """The policy's kind of distribution over given logits."""
        return Categorical(logits) if self.picks == 1 else PlackettLuce(logits, self.picks)

    def set_dropout(self, rate: float) -> None:
        """Set every dropout of the encoder; above 0 the ratio of PPO compares two different networks."""
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = rate

    def state(self) -> dict[str, Tensor]:
        """Copies of the trainable parameters on the CPU; shared ones appear once."""
        trainable = ((name, parameter) for name, parameter in self.named_parameters() if parameter.requires_grad)
        return {name: parameter.detach().cpu().clone() for name, parameter in trainable}

    def load_state(self, tensors: dict[str, Tensor], source: str) -> None:
        """Take over what `state` gave.

        Raises:
            SteerError: names or shapes are not this policy's.
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
        self.load_state_dict(tensors, strict=False)

    def save(self, folder: Path) -> None:
        """Write the trained tensors (`policy.safetensors`) and, for text encoders, a `save_pretrained` folder."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in self.state().items()}, folder / _WEIGHTS)
        if isinstance(self.encoder, TextEncoder):
            self.encoder.save(folder / "encoder")

    def load(self, folder: Path) -> None:
        """Read what `save` wrote into this policy.

        Raises:
            SteerError: no such file, a file cut short, or one of another model.
        """
        path = folder / _WEIGHTS
        try:
            tensors = load_file(path)
        except Exception as error:  # safetensors raises its own type for each kind of damage
            raise SteerError(f"cannot read {path} ({error}); train again or restore it.") from error
        self.load_state(tensors, str(path))
