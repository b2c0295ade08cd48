"""Heads that turn a state's vector into a score for each action."""

import torch
from torch import Tensor, nn

from core.envs.observations import Observations


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
    """

    def __init__(self, width: int, items: nn.Module, *, features: int, fixed: int = 0, seen: int = 3) -> None:
        super().__init__()
        self.items = items
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
