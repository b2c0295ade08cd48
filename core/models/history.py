"""A small transformer over the items that somebody has looked at."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from core.models.state_encoder import StateEncoder


class ItemTable(nn.Module):
    """Item vectors: a projection of what the item's text says, plus a learned vector of its own.

    Args:
        texts: Text embeddings, kept frozen, float32 of shape (items, text width).
        width: Length of the resulting vectors.
        dropout: Dropout rate of the own vectors, so that the text alone must serve unseen items.
    """

    def __init__(self, texts: np.ndarray, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.texts: Tensor
        self.register_buffer("texts", torch.from_numpy(texts), persistent=False)
        self.project = nn.Linear(texts.shape[1], width, bias=False)
        self.own = nn.Embedding(len(texts), width)
        nn.init.normal_(self.own.weight, std=0.02)
        self.dropout = nn.Dropout(dropout)

    def forward(self, rows: Tensor) -> Tensor:
        """Vectors of the items at `rows`, shape (*rows.shape, width)."""
        # Many candidate lists name the same items: projecting each item once is then far cheaper.
        repeated = rows.numel() > len(self.texts)
        said = self.project(self.texts)[rows] if repeated else self.project(self.texts[rows])
        return said + self.dropout(self.own(rows))


class HistoryEncoder(StateEncoder):
    """Causal transformer over a history of items; the last position is the state (after SASRec, Kang & McAuley 2018).

    Args:
        items: Vectors of the items, shared with the head that scores candidates.
        width: Length of the vectors.
        layers: Number of the transformer's layers.
        heads: Number of attention heads of each layer.
        window: Number of most recent items that count.
    """

    def __init__(self, items: ItemTable, width: int, *, layers: int = 2, heads: int = 2, window: int = 50) -> None:
        super().__init__()
        self.items, self.width, self.window = items, width, window
        self.positions = nn.Embedding(window, width)
        nn.init.normal_(self.positions.weight, std=0.02)
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, histories: Sequence[np.ndarray]) -> Tensor:
        """State after the whole history, float32 of shape (histories, width); an empty history is all zeros."""
        return self.every_state(histories)[:, -1]

    def every_state(self, histories: Sequence[np.ndarray]) -> Tensor:
        """State after each item, shape (histories, longest history, width), aligned to the right."""
        device = self.positions.weight.device
        cut = [history[-self.window :] for history in histories]
        longest = max(1, *(len(history) for history in cut)) if cut else 1
        rows = torch.full((len(cut), longest), -1, dtype=torch.long)
        for at, history in enumerate(cut):
            if len(history):
                rows[at, -len(history) :] = torch.as_tensor(history, dtype=torch.long)
        rows = rows.to(device)
        # Position 0 is the newest item, so a history means the same however much padding stands before it.
        position = torch.arange(longest - 1, -1, -1, device=device)
        known = (rows >= 0).unsqueeze(-1)
        vectors = self.items(rows.clamp_min(0)) * known + self.positions(position)
        causal = nn.Transformer.generate_square_subsequent_mask(longest, device=device)
        blocked = causal.isinf() | ~known.transpose(1, 2).expand(-1, longest, -1)
        blocked = blocked & ~torch.eye(longest, dtype=torch.bool, device=device)  # padding attends to itself
        heads = self.transformer.layers[0].self_attn.num_heads
        return self.transformer(vectors, mask=blocked.repeat_interleave(heads, dim=0)) * known

    def lengths(self, histories: Sequence[np.ndarray]) -> list[int]:
        """Items of each history within the window, at least 1."""
        return [max(1, min(len(history), self.window)) for history in histories]
