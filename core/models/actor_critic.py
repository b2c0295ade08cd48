"""The policy that chooses - classes, actions, items, lists -, and the heads that score what it chooses from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.envs.observations import Observations, bucketed, take
from core.models.devices import Compute, split_across_processes
from core.models.distributions import Categorical, ChoiceDistribution, PlackettLuce
from core.models.policy import Policy, PolicyOutput, PolicyStep, evaluating
from core.models.state_encoder import StateEncoder

# Small batches compute little padding; a GPU wants large ones.
_BUCKET_TOKENS = {"cpu": 512, "cuda": 16384}
_ENCODER = "encoder"


class ActorCritic(Policy):
    """Encoder, actor head and critic.

    Args:
        encoder: Encoder of one column of the observations.
        head: Module that turns (vector, observations) into logits.
        column: Name of the observations' column that the encoder reads.
        picks: Length of an action: 1 for a choice, more for a list drawn without replacement (Plackett-Luce).
        critic_encoder: Encoder of the critic's own; without one it reads the actor's vector, and leaves it as it is: a
            critic's large early errors must not pull the pretrained encoder about.
    """

    encoder: Any

    def __init__(
        self,
        encoder: StateEncoder,
        head: nn.Module,
        *,
        column: str = "text",
        picks: int = 1,
        critic_encoder: StateEncoder | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.head, self.column, self.picks = encoder, head, column, picks
        self.critic_encoder: Any = critic_encoder
        self.critic = nn.Linear(encoder.width, picks)
        nn.init.zeros_(self.critic.weight)
        nn.init.zeros_(self.critic.bias)

    def forward(self, observations: Observations, actions: Tensor | None = None) -> PolicyOutput:
        del actions  # one pass over the state gives the probability of every action
        column = observations[self.column]
        state = self.encoder(column)
        logits = self.head(state, observations)
        seen = state.detach() if self.critic_encoder is None else self.critic_encoder(column)
        return PolicyOutput(self.distribution(logits, observations), self.critic(seen))

    def sample(self, observations: Observations, generator: torch.Generator) -> PolicyStep:
        with evaluating(self):
            log_probs, values = split_across_processes(self._judge, observations)
            distribution = self.distribution(log_probs, observations)
            actions = distribution.sample(generator)
            of_picks = distribution.log_prob(actions)
        mask = torch.ones(actions.shape, dtype=torch.bool)
        return PolicyStep(actions.cpu(), mask, of_picks.cpu(), values.cpu())

    def predict(self, observations: Observations) -> np.ndarray:
        return self.distribution(self.logits(observations), observations).mode().numpy()

    def value(self, observations: Observations) -> Tensor:
        with evaluating(self):
            _, values = split_across_processes(self._judge, observations)
        return values[:, 0].cpu()

    def log_prob(self, observations: Observations, actions: Tensor) -> Tensor:
        with evaluating(self):
            return self.distribution(self.logits(observations), observations).log_prob(actions)

    def logits(self, observations: Observations) -> Tensor:
        """Normalised logits of any number of states, without gradients, float32 of shape (states, options) on the CPU.

        Args:
            observations: States to decide in.
        """
        with evaluating(self):
            log_probs, _ = split_across_processes(self._judge, observations)
        return log_probs.cpu()

    def log_probs_for_kl(self, observations: Observations, actions: Tensor) -> Tensor:
        del actions
        return self.logits(observations)

    def lengths(self, observations: Observations) -> list[int]:
        return self.encoder.lengths(observations[self.column])

    def distribution(self, logits: Tensor, observations: Observations) -> ChoiceDistribution:
        """The policy's kind of distribution over given logits, in the states that they are of."""
        del observations  # a choice, and a list without replacement, depend on the logits alone
        return Categorical(logits) if self.picks == 1 else PlackettLuce(logits, self.picks)

    def in_buckets(self, compute: Compute, observations: Observations) -> tuple[Tensor, ...]:
        """What `compute` says of all states, computed in batches of like length.

        Args:
            compute: Function from states to tensors whose first axis counts the states.
            observations: Any number of states.
        """
        rows_by_batch = list(bucketed(self.lengths(observations), _BUCKET_TOKENS[self.device.type]))
        outputs = [compute(take(observations, rows)) for rows in rows_by_batch]
        order = torch.tensor([row for rows in rows_by_batch for row in rows], device=self.device).argsort()
        return tuple(torch.cat(parts)[order] for parts in zip(*outputs, strict=True))

    def _judge(self, observations: Observations) -> tuple[Tensor, ...]:
        """Log-probabilities and values of all states."""

        def judged(some: Observations) -> tuple[Tensor, ...]:
            output = self(some)
            return output.distribution.log_probs, output.values

        return self.in_buckets(judged, observations)

    def pretrained_parameters(self) -> Iterator[nn.Parameter]:
        return self.encoder.parameters()

    def actor_parameters(self) -> list[nn.Parameter]:
        return [
            parameter
            for part in (self.encoder, self.head)
            for parameter in part.parameters()
            if parameter.requires_grad
        ]

    def allow_second_derivatives(self) -> None:
        self.encoder.allow_second_derivatives()

    def observe(self, observations: Observations) -> None:
        for encoder in (self.encoder, self.critic_encoder):
            if encoder is not None:
                encoder.observe(observations[self.column])

    def after_step(self, done: int, total: int) -> None:
        self.encoder.after_step(done, total)

    @property
    def device(self) -> torch.device:
        return self.critic.weight.device

    def for_serving(self) -> "ActorCritic":
        """This policy, which from now on decides and is trained no more."""
        self.encoder.for_serving()
        return self

    def save(self, folder: Path) -> None:
        super().save(folder)
        self.encoder.save(folder / _ENCODER)

    def export(self, folder: Path) -> None:
        self.encoder.export(folder / _ENCODER)

    def load(self, folder: Path) -> None:
        super().load(folder)
        self.encoder.load(folder / _ENCODER)


class ChoiceHead(nn.Module):
    """Scores of a fixed set of actions.

    Several factors make a joint action: with factors (8, 3) there are 24 actions, action `a` stands for
    `(a // 3, a % 3)`, and the factors are independent given the state.

    Args:
        width: Length of the state's vector.
        factors: Number of options of each factor; one factor for a plain choice.
    """

    def __init__(self, width: int, factors: tuple[int, ...]) -> None:
        super().__init__()
        self.factors = factors
        self.scores = nn.ModuleList(nn.Linear(width, size) for size in factors)

    def forward(self, state: Tensor, observations: Observations) -> Tensor:
        """Logits of shape (rows, product of the factors)."""
        del observations  # the state's vector says everything
        joint = self.scores[0](state)
        for score in self.scores[1:]:
            joint = (joint.unsqueeze(-1) + score(state).unsqueeze(-2)).flatten(1)
        return joint


class CandidateHead(nn.Module):
    """Scores of candidates that change from state to state, followed by a few fixed actions.

    Reads two columns of the observations: `candidates`, int64 row numbers of `items` of shape (rows, candidates) where
    -1 means none, and `features`, float32 of shape (rows, candidates, features), such as retrieval scores. The score
    of a candidate is a scaled cosine between the projected state and the item's vector, plus what a small network
    reads from its features; fixed actions see the state and the features of the first candidates.

    Args:
        width: Length of the state's vector.
        items: Module that maps int64 row numbers to vectors of length `width`.
        features: Number of features of each candidate.
        fixed: Number of fixed actions.
        seen: Number of leading candidates that the fixed actions look at.
        projected: Whether a projection of the state is learnt. It learns the items that training asks for by heart, so
            without it those that training never asks for are scored better: by the pretrained similarity.
    """

    def __init__(
        self,
        width: int,
        items: nn.Module,
        *,
        features: int,
        fixed: int = 0,
        seen: int = 3,
        projected: bool = True,
    ) -> None:
        super().__init__()
        self.items = items
        self.project: nn.Module = nn.Identity()
        if projected:
            self.project = nn.Linear(width, width, bias=False)
            nn.init.eye_(self.project.weight)  # start from the pretrained similarity
        self.scale = nn.Parameter(torch.tensor(10.0))
        self.from_features = nn.Sequential(nn.Linear(features, 16), nn.GELU(), nn.Linear(16, 1))
        self.seen = seen
        self.fixed = nn.Linear(width + seen * features, fixed) if fixed else None

    def forward(self, state: Tensor, observations: Observations) -> Tensor:
        """Logits of shape (rows, candidates + fixed); -inf where there is no candidate."""
        candidates = torch.as_tensor(observations["candidates"], device=state.device)
        features = torch.as_tensor(observations["features"], dtype=torch.float32, device=state.device)
        vectors = nn.functional.normalize(self.items(candidates.clamp_min(0)), dim=-1)
        query = nn.functional.normalize(self.project(state), dim=-1)
        scores = self.scale * torch.einsum("bw,bcw->bc", query, vectors) + self.from_features(features).squeeze(-1)
        scores = scores.masked_fill(candidates < 0, float("-inf"))
        if self.fixed is None:
            return scores
        summary = torch.cat([state, features[:, : self.seen].flatten(1)], dim=-1)
        return torch.cat([scores, self.fixed(summary)], dim=-1)
