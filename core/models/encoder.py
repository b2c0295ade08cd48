"""A pretrained transformer encoder that turns texts into vectors."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from core.data.windows import window_of
from core.envs.observations import bucketed
from core.models.adapters import adapted, reallocate_ranks, virtual_tokens
from core.models.cached_vectors import ActivationCache, Shown, cached_embeddings, split_backbone
from core.models.devices import autocast, hold_as_computed, is_bf16, on_cpu
from core.models.settings import Adaptation, EncoderSettings
from core.models.state_encoder import StateEncoder
from core.models.weights import DEFAULT_ENCODER, resolve
from core.util.files import sha256_of
from core.util.lru_cache import LRUCache

# While serving, a text needs what frozen layers say of it for as long as its own batch is worked off.
_SERVED_AT_ONCE = 256
# What a server keeps of texts: its own, which return all the time, and those of its users' last minutes.
_SERVED_TEXTS = 4096


def load_backbone(name: str) -> Any:
    """A pretrained encoder in float32.

    On a CPU attention runs step by step: there the backward pass of PyTorch's fused kernel takes a quarter of a
    training step on short texts, and gains nothing up to 512 tokens.

    Args:
        name: Name of the weights, as `core.models.weights.resolve` takes it.
    """
    transformers_logging.disable_progress_bar()
    options: dict[str, Any] = {"attn_implementation": "eager"} if on_cpu() else {}
    return AutoModel.from_pretrained(resolve(name), dtype=torch.float32, use_safetensors=True, **options)


class TextEncoder(StateEncoder):
    """Mean-pooled transformer encoder with a token cache.

    Args:
        name: Name of the weights, as `core.models.weights.resolve` takes it.
        adapt: What is trained, see `core.models.adapters.adapted`. Under `top`, what the frozen layers below say of a
            text is computed once (without dropout) and kept.
        layers: Number of uppermost layers that `top` trains.
        rank: Rank of low-rank adapters, or tokens of a prefix or prompt.
        max_length: Window in tokens; see `core.data.windows` for what is read of a longer text.
        precision: Number format, see `core.models.devices.autocast`.
    """

    def __init__(
        self,
        name: str = DEFAULT_ENCODER,
        *,
        adapt: Adaptation = "frozen",
        layers: int = 2,
        rank: int = 16,
        max_length: int = 96,
        precision: str = "auto",
    ) -> None:
        super().__init__()
        self.name, self.adapt, self.max_length, self.precision = name, adapt, max_length, precision
        self.tokenizer = AutoTokenizer.from_pretrained(resolve(name))
        backbone = load_backbone(name)
        self.backbone: Any = adapted(backbone, adapt, layers, rank)
        self.width: int = backbone.config.hidden_size
        self._virtual = virtual_tokens(adapt, rank)
        frozen_layers = len(backbone.encoder.layer) - layers
        self._frozen_layers = frozen_layers if adapt == "top" and frozen_layers > 0 else 0
        self._halves = split_backbone(backbone, self._frozen_layers) if self._frozen_layers else None
        self._activations: ActivationCache | LRUCache[Shown, Tensor] | None = None
        self._tokens: LRUCache[str, list[int]] = LRUCache(200_000)
        self._frozen_vectors: LRUCache[str, Tensor] = LRUCache(50_000)

    @classmethod
    def of(cls, settings: EncoderSettings, *, frozen: bool = False) -> "TextEncoder":
        """The encoder that settings describe; `frozen` trains nothing of it."""
        return cls(
            settings.name,
            adapt="frozen" if frozen else settings.adapt,
            layers=settings.layers,
            rank=settings.rank,
            max_length=settings.max_length,
            precision=settings.precision,
        )

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.backbone.parameters()).device

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Mean of the last layer's token vectors, float32 of shape (texts, width)."""
        if self.adapt == "frozen":
            return self._remembered(texts)
        return self._pooled(texts)

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, after cutting to the window."""
        return [len(tokens) for tokens in self._tokenized(texts)]

    @torch.no_grad()
    def embed(self, texts: Sequence[str], *, tokens_per_batch: int = 2048) -> np.ndarray:
        """Unit-length vectors for retrieval, float32 of shape (texts, width)."""
        vectors = np.zeros((len(texts), self.width), dtype=np.float32)
        for rows in bucketed(self.lengths(texts), tokens_per_batch):
            pooled = self([texts[row] for row in rows])
            vectors[rows] = nn.functional.normalize(pooled, dim=-1).cpu().numpy()
        return vectors

    def preload(self, texts: Iterable[str]) -> None:
        """Know the vectors of texts that every start asks for, from the cache on disk; this encoder must be frozen.

        Raises:
            SteerError: The disk is full.
        """
        assert self.adapt == "frozen"
        different = list(dict.fromkeys(texts))
        weights = "".join(sha256_of(file) for file in sorted(resolve(self.name).glob("*.safetensors")))
        source = f"{weights} {self.max_length} {self._kind} without the middle"
        kept = cached_embeddings(source, different, lambda new: torch.stack(self._frozen_pooled(list(new))))
        by_text = dict(zip(different, kept, strict=True))
        self._frozen_vectors.get(different, lambda new: [by_text[text] for text in new])

    def for_serving(self, beside: "TextEncoder | None" = None) -> None:
        """Become faster, and never larger than memory allows, now that nothing is trained any more.

        Args:
            beside: Encoder that has been asked for the same and reads the same texts on the same thread: the layers
                that are frozen in both then see each text once. This encoder must be frozen.
        """
        hold_as_computed(self.backbone, self.precision)
        self._activations = LRUCache(_SERVED_AT_ONCE)
        self._tokens, self._frozen_vectors = LRUCache(_SERVED_TEXTS), LRUCache(_SERVED_TEXTS)
        if beside is not None and beside._frozen_layers and beside.name == self.name:
            assert self.adapt == "frozen"
            self._halves = split_backbone(self.backbone, beside._frozen_layers)
            self._activations = beside._activations

    def save(self, folder: Path) -> None:
        """Write the backbone (or, under LoRA, its adapter) in `save_pretrained` format with the tokenizer."""
        self.backbone.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def _tokenized(self, texts: Sequence[str]) -> list[list[int]]:
        return self._tokens.get(texts, lambda new: window_of(self.tokenizer, new, self.max_length))

    def after_step(self, done: int, total: int) -> None:
        """Let AdaLoRA move its budget of ranks."""
        if self.adapt == "adalora":
            reallocate_ranks(self.backbone, done, total)

    def allow_second_derivatives(self) -> None:
        """Attention step by step instead of in one fused kernel, and float32."""
        for model in (self.backbone, *(self._halves or ())):
            model.set_attn_implementation("eager")
        self.precision = "fp32"

    def _pooled(self, texts: Sequence[str]) -> Tensor:
        if self._halves is None:
            inputs = {"input_ids": self._padded([torch.tensor(tokens) for tokens in self._tokenized(texts)])}
            return self._mean(self.backbone, texts, inputs)
        return self._mean(self._halves[1], texts, {"inputs_embeds": self._padded(self._lower(texts)).float()})

    def _mean(self, model: Any, texts: Sequence[str], inputs: dict[str, Tensor]) -> Tensor:
        lengths = torch.tensor(self.lengths(texts))
        mask = (torch.arange(int(lengths.max())) < lengths[:, None]).to(self.device)
        with autocast(self.device, self.precision):
            hidden = model(**inputs, attention_mask=mask.long()).last_hidden_state[:, self._virtual :]
        weight = mask.unsqueeze(-1).float()
        return (hidden.float() * weight).sum(1) / weight.sum(1)

    def _padded(self, rows: list[Tensor]) -> Tensor:
        filling = (self.tokenizer.pad_token_id or 0) if rows[0].ndim == 1 else 0
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=filling).to(self.device)

    @torch.no_grad()
    def _lower(self, texts: Sequence[str]) -> list[Tensor]:
        """What the frozen layers say of each token of each text."""
        if self._activations is None:
            self._activations = ActivationCache(self.width, self._kind)
        return self._activations.get(list(zip(texts, self.lengths(texts), strict=True)), self._through_lower)

    @property
    def _kind(self) -> torch.dtype:
        return torch.bfloat16 if is_bf16(self.device, self.precision) else torch.float32

    def _through_lower(self, texts: list[Shown]) -> list[Tensor]:
        assert self._halves is not None
        lower = self._halves[0].eval()
        found: dict[int, Tensor] = {}
        for rows in bucketed([length for _, length in texts], 2048):
            tokens = [torch.tensor(ids) for ids in self._tokenized([texts[row][0] for row in rows])]
            padded = self._padded(tokens)
            mask = torch.arange(padded.shape[1])[None, :] < torch.tensor([len(ids) for ids in tokens])[:, None]
            with autocast(self.device, self.precision):
                hidden = lower(input_ids=padded, attention_mask=mask.long().to(self.device)).last_hidden_state
            for row, ids, vectors in zip(rows, tokens, hidden, strict=True):
                found[row] = vectors[: len(ids)].to("cpu", self._kind, copy=True)
        return [found[row] for row in range(len(texts))]

    @torch.no_grad()
    def _remembered(self, texts: Sequence[str]) -> Tensor:
        # Frozen weights give every text one vector for ever, so an epoch over cached vectors costs next to nothing.
        return torch.stack(self._frozen_vectors.get(texts, self._frozen_pooled)).to(self.device)

    def _frozen_pooled(self, texts: list[str]) -> tuple[Tensor, ...]:
        training = self.training
        self.eval()
        found = torch.zeros(len(texts), self.width)
        for rows in bucketed(self.lengths(texts), 2048):
            found[rows] = self._pooled([texts[row] for row in rows]).cpu()
        self.train(training)
        return found.unbind()
