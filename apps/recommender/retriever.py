"""The first stage: a small causal transformer over liked items, and FAISS over its item vectors.

SASRec (Kang & McAuley 2018) with cross-entropy over the whole catalogue instead of sampled negatives, which Klenitskiy
& Vasilev (2023, "Turning Dross Into Gold Loss") found to be what makes it strong. Scores are scaled cosines, so that
FAISS and the ranker's head read the same vectors in the same way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from core.models.devices import autocast, processes
from core.models.history import HistoryEncoder, ItemTable
from core.retrieval.index import DenseIndex

OnEpoch = Callable[[int, int], None]

_BATCH = 256
_MOST_STEPS = 500


@dataclass(frozen=True)
class RetrieverSettings:
    """How a retriever is built and trained; a change of any of them makes a new one.

    Attributes:
        encoder: Name of the text encoder.
        seed: Seed of everything random.
        width: Size of the vectors.
        layers: Number of the transformer's layers.
        window: Number of a history's newest items that count.
        epochs: Number of passes over the histories.
        batch_size: Number of histories in a batch; more where an epoch would take over 500 batches.
        learning_rate: Highest learning rate of a one-cycle schedule.
        weight_decay: Weight decay of AdamW.
        dropout: Dropout of the transformer.
        scale: Factor of the cosines in the logits.
    """

    encoder: str
    seed: int
    width: int = 64
    layers: int = 2
    window: int = 50
    epochs: int = 8
    batch_size: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    dropout: float = 0.2
    scale: float = 14.0


class Retriever:
    """Item texts, item vectors and the transformer that reads a history of items.

    Args:
        texts: Unit-length text embeddings, float32 of shape (items, text width).
        encoder: Trained transformer.
    """

    def __init__(self, texts: np.ndarray, encoder: HistoryEncoder) -> None:
        self.texts, self.encoder = texts, encoder.eval().requires_grad_(False)
        self.vectors = _unit(encoder.items(torch.arange(len(texts)))).numpy()
        self.index = DenseIndex(self.vectors)

    @torch.no_grad()
    def queries(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        """Where each history points among the item vectors, float32 unit vectors of shape (histories, width)."""
        parts = [self.encoder(histories[at : at + _BATCH]) for at in range(0, len(histories), _BATCH)]
        return _unit(torch.cat(parts)).numpy()

    def nearest(self, queries: np.ndarray, seen: Sequence[np.ndarray], count: int) -> list[np.ndarray]:
        """The `count` items nearest to each query that are not in `seen`, best first, int64; or what is left."""
        most = max(len(items) for items in seen)
        if most > len(self.vectors) // 2:  # a wish that few items meet: these alone are compared
            return [self._nearest_left(*each, count) for each in zip(queries, seen, strict=True)]
        _, rows = self.index.search(queries, count + most)
        return [row[~np.isin(row, items)][:count] for row, items in zip(rows, seen, strict=True)]

    def _nearest_left(self, query: np.ndarray, seen: np.ndarray, count: int) -> np.ndarray:
        is_left = np.ones(len(self.vectors), dtype=bool)
        is_left[seen] = False
        left = np.flatnonzero(is_left)
        return left[np.argsort(-(self.vectors[left] @ query), kind="stable")[:count]]


def new_encoder(texts: np.ndarray, settings: RetrieverSettings) -> HistoryEncoder:
    """An untrained transformer over items with the given text embeddings."""
    items = ItemTable(texts, settings.width)
    encoder = HistoryEncoder(items, settings.width, layers=settings.layers, window=settings.window)
    for module in encoder.transformer.modules():
        if isinstance(module, nn.Dropout):
            module.p = settings.dropout
    return encoder


def train_encoder(
    histories: Sequence[np.ndarray], texts: np.ndarray, settings: RetrieverSettings, on_epoch: OnEpoch
) -> HistoryEncoder:
    """Teach a fresh transformer to tell the next item after every item of every history, on a GPU where there is one.

    Args:
        histories: Liked items of each user, oldest first.
        texts: Text embeddings, float32 of shape (items, text width).
        settings: Size and training of the transformer.
        on_epoch: Callback for (epochs done, epochs) after each epoch.
    """
    torch.manual_seed(settings.seed)
    generator = np.random.default_rng(settings.seed)
    encoder = new_encoder(texts, settings).to(processes().device)
    epochs = [_pieces(histories, settings.window, generator) for _ in range(settings.epochs)]
    size = max(settings.batch_size, -(-max(map(len, epochs)) // _MOST_STEPS))
    steps = sum(-(-len(pieces) // size) for pieces in epochs)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    # A warm-up of exactly one step would divide by the nothing between its first step and its last.
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=steps + 1, pct_start=max(0.1, 2 / (steps + 1))
    )
    for done, pieces in enumerate(epochs, start=1):
        for at in range(0, len(pieces), size):
            loss = _loss(encoder, pieces[at : at + size], settings.scale)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        on_epoch(done, settings.epochs)
    return encoder.cpu()


def _pieces(histories: Sequence[np.ndarray], window: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Histories cut into pieces of at most `window` + 1 items at random places, in random order."""
    pieces = []
    for history in histories:
        # Ends that move let every item be the newest of a piece in some epoch, as it is when the retriever is asked.
        end = len(history) - int(generator.integers(0, max(1, min(window, len(history) - 2))))
        ends = {len(history), *range(end, 1, -window)} if len(history) > 1 else set()
        pieces += [history[max(0, at - window - 1) : at] for at in sorted(ends)]
    return [pieces[at] for at in generator.permutation(len(pieces))]


def _loss(encoder: HistoryEncoder, pieces: Sequence[np.ndarray], scale: float) -> Tensor:
    """Cross-entropy of the next item over the whole catalogue, at every position."""
    states = encoder.every_state([piece[:-1] for piece in pieces])
    targets = torch.full(states.shape[:2], -1)
    for row, piece in enumerate(pieces):
        targets[row, 1 - len(piece) :] = torch.as_tensor(piece[1:])
    targets = targets.to(states.device)
    known = targets >= 0
    everything = torch.arange(len(encoder.items.texts), device=states.device)
    with autocast(states.device, "auto"):
        logits = scale * _unit(states[known]) @ _unit(encoder.items(everything)).T
    return nn.functional.cross_entropy(logits.float(), targets[known])


def _unit(vectors: Tensor) -> Tensor:
    return nn.functional.normalize(vectors, dim=-1)
