"""A policy that makes lists by the best known rule for relevant and varied ones, and learns a correction to it.

The rule is maximal marginal relevance (Carbonell & Goldstein 1998): each position takes the option whose relevance
plus a trade-off times its mean distance to the picks before it is largest. Before its first step the policy *is* that
rule; what it learns is added to it (residual reinforcement learning, see `core.models.rule_head`).
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from core.envs.observations import Observations
from core.models.actor_critic import ActorCritic
from core.models.distributions import ChoiceDistribution
from core.models.policy import evaluating
from core.models.state_encoder import StateEncoder

# Distances between the options of each state, float32 of shape (states, options, options).
DistancesOf = Callable[[Observations], np.ndarray]

_LEADERS, _HIDDEN = 3, 32


class DiverseList(ChoiceDistribution):
    """A list of different options, drawn pick by pick, each of which is the likelier the further from those before it.

    The logits of pick t, of which `last` is the last, are

        gains[t] * logits + late * t / last + (weights[t] + taste) * mean distance to the picks before it.

    With gains of 1 and all else 0 that is `PlackettLuce`.

    Args:
        logits: Relevance of each option, and unnormalised log-probabilities of the first pick, float32 of shape
            (rows, options); -inf for what is not on offer.
        distances: Distances between the options of a row, float32 of shape (rows, options, options).
        gains: Weight of the relevance at each pick, 1 at the first, float32 of shape (picks,).
        weights: Weight of the mean distance at each pick, float32 of shape (picks,).
        late: Logit that makes each option likelier towards the end, float32 of shape (rows, options).
        taste: Extra weight of the distance of each option, float32 of shape (rows, options).
    """

    def __init__(
        self, logits: Tensor, distances: Tensor, gains: Tensor, weights: Tensor, late: Tensor, taste: Tensor
    ) -> None:
        super().__init__(logits)
        self.distances, self.gains, self.weights = distances, gains, weights
        self.late, self.taste = late, taste

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        return self.draw(generator)[0]

    def mode(self) -> Tensor:
        return self._walk(lambda t, log_probs: log_probs.argmax(-1, keepdim=True))[0]

    def log_prob(self, actions: Tensor) -> Tensor:
        _, log_probs = self._walk(lambda t, log_probs: actions[:, t : t + 1])
        return log_probs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)

    def draw(self, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Random lists, int64 of shape (rows, picks), and the log-probability of every option at each of their picks.

        The latter are float32 of shape (rows, picks, options), and carry gradients.
        """
        return self._walk(lambda t, log_probs: torch.multinomial(log_probs.exp(), 1, generator=generator))

    def repeated(self, times: int) -> "DiverseList":
        """The same, with each row `times` times one after the other."""
        logits, distances, late, taste = (
            each.repeat_interleave(times, dim=0) for each in (self.log_probs, self.distances, self.late, self.taste)
        )
        return DiverseList(logits, distances, self.gains, self.weights, late, taste)

    def of(self, row: int) -> "DiverseList":
        """The distribution of one row."""
        logits, distances, late, taste = (
            each[row : row + 1] for each in (self.log_probs, self.distances, self.late, self.taste)
        )
        return DiverseList(logits, distances, self.gains, self.weights, late, taste)

    def _walk(self, choose: Callable[[int, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """Lists whose picks `choose` takes, by the pick's number and each option's log-probability; see `draw`."""
        missing = self.log_probs.isneginf()
        relevance = self.log_probs.masked_fill(missing, 0.0)  # times a gain, -inf would have no gradient
        closed = torch.zeros_like(relevance).masked_fill(missing, float("-inf"))
        rows, total = torch.arange(len(relevance), device=relevance.device), torch.zeros_like(relevance)
        picks, log_probs = [], []
        for t, (gain, weight) in enumerate(zip(self.gains, self.weights, strict=True)):
            if t == relevance.shape[1]:  # a shorter list of all that there is
                break
            course = self.late * (t / max(len(self.gains) - 1, 1)) + (weight + self.taste) * total / max(t, 1)
            log_probs.append((gain * relevance + course + closed).log_softmax(-1))
            picks.append(choose(t, log_probs[-1]))
            closed = closed.scatter(-1, picks[-1], float("-inf"))
            total = total + self.distances[rows, picks[-1][:, 0]]
        return torch.cat(picks, dim=-1), torch.stack(log_probs, dim=1)


class DiverseListPolicy(ActorCritic):
    """Maximal marginal relevance over the options' scores, and what is learnt beyond it.

    Learnt are what is added to each option's score, to each option's at the end of a list and by its distance, and how
    much scores and distances count at each pick.

    Args:
        encoder: Encoder of one column of the observations, by which the critic judges; it is not trained.
        head: Scores of the options, and what is learnt beyond them.
        distances: Distances between the options of given states.
        column: Name of the observations' column that the encoder reads.
        picks: Length of a list.
    """

    head: "DiverseListHead"

    def __init__(
        self, encoder: StateEncoder, head: "DiverseListHead", distances: DistancesOf, *, column: str, picks: int
    ) -> None:
        super().__init__(encoder, head, column=column, picks=picks)
        encoder.requires_grad_(False)
        self.distances = distances
        self.log_gains, self.log_weights = nn.Parameter(torch.zeros(picks - 1)), nn.Parameter(torch.zeros(picks - 1))

    def distribution(self, logits: Tensor, observations: Observations) -> DiverseList:
        distances = torch.as_tensor(self.distances(observations), device=logits.device)
        # nothing stands before the first pick
        gains = torch.cat([torch.ones(1, device=logits.device), self.log_gains.exp()])
        weights = torch.cat([torch.zeros(1, device=logits.device), self.log_weights.exp()])
        late, taste = self.head.course(self.head.seen(observations)).unbind(-1)
        return DiverseList(logits, distances, gains, self.head.trade_off * weights, late, taste)

    def predict(self, observations: Observations) -> np.ndarray:
        """See `Policy.predict`; in batches, as the distances of all states at once might fill the memory."""
        with evaluating(self):
            (lists,) = self.in_buckets(lambda some: (self(some).distribution.mode(),), observations)
        return lists.cpu().numpy()


class DiverseListHead(nn.Module):
    """Logits of the options: the rule's scores, plus a correction that begins at zero.

    Reads `features` of the observations, float32 of shape (rows, options, features), whose first is the rule's score,
    and `candidates`, int64 of shape (rows, options), where -1 means that there is no option.

    Args:
        features: Number of features of each option.
        sharpness: Nats by which a score of 1 more makes an option likelier.
        trade_off: Worth of a distance of 1 in units of the score.
    """

    def __init__(self, features: int, *, sharpness: float, trade_off: float) -> None:
        super().__init__()
        self.sharpness, self.trade_off = sharpness, sharpness * trade_off
        self.correction, self.course = (_zero_at_first(features + _LEADERS, outputs) for outputs in (1, 2))

    def forward(self, state: Tensor, observations: Observations) -> Tensor:
        """Logits, float32 of shape (rows, options); -inf where there is no option."""
        seen = self.seen(observations)
        logits = self.sharpness * seen[:, :, 0] + self.correction(seen).squeeze(-1)
        return logits.masked_fill(self._missing(observations), float("-inf"))

    def seen(self, observations: Observations) -> Tensor:
        """What is learnt from: each option's features, and the highest scores of its state, (rows, options, width)."""
        features = torch.as_tensor(observations["features"], dtype=torch.float32, device=self.device)
        scores = features[:, :, 0].masked_fill(self._missing(observations), 0.0)
        leaders = scores.topk(min(_LEADERS, scores.shape[1])).values
        leaders = nn.functional.pad(leaders, (0, _LEADERS - leaders.shape[1]))
        return torch.cat([features, leaders[:, None].expand(-1, scores.shape[1], -1)], dim=-1)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.correction.parameters()).device

    def _missing(self, observations: Observations) -> Tensor:
        return torch.as_tensor(observations["candidates"], device=self.device) < 0


def _zero_at_first(inputs: int, outputs: int) -> nn.Sequential:
    last = nn.Linear(_HIDDEN, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, _HIDDEN), nn.GELU(), last)
