"""A pretrained transformer encoder that turns texts into vectors."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING
from transformers.utils import logging as transformers_logging

from core.data.windows import window_of
from core.envs.observations import bucketed
from core.models.adapters import adapted, lower_layers, reallocate_ranks, virtual_tokens
from core.models.cached_vectors import ActivationCache, Shown, cached_embeddings, can_split, split_backbone
from core.models.conventions import Role, conventions_of, is_decoder, pooled, saved_conventions
from core.models.devices import autocast, hold_as_computed, is_bf16, on_cpu
from core.models.settings import Adaptation, EncoderSettings, Pooling
from core.models.state_encoder import StateEncoder
from core.models.weights import DEFAULT_ENCODER, resolve
from core.util.errors import SteerError
from core.util.files import sha256_of
from core.util.lru_cache import LRUCache

# What is kept of texts while a policy learns: their tokens, and what a frozen encoder says of them.
_TOKENS, _VECTORS = 200_000, 50_000
# While serving, a text needs what frozen layers say of it for as long as its own batch is worked off.
_SERVED_AT_ONCE = 256
# What a server keeps of texts: its own, which return all the time, and those of its users' last minutes.
_SERVED_TEXTS = 4096


def load_backbone(name: str) -> Any:
    """A pretrained encoder in float32: whatever `AutoModel` opens; of T5 and its like, the encoder alone.

    On a CPU attention runs step by step: there the backward pass of PyTorch's fused kernel takes a quarter of a
    training step on short texts, and gains nothing up to 512 tokens.

    Args:
        name: Name of the weights, as `core.models.weights.resolve` takes it.

    Raises:
        SteerError: An encoder-decoder whose encoder transformers does not open alone.
    """
    transformers_logging.disable_progress_bar()
    folder = resolve(name)
    config = AutoConfig.from_pretrained(folder)
    opens_alone = type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING
    if config.is_encoder_decoder and not opens_alone:
        raise SteerError(
            f"{name} is an encoder-decoder ({config.model_type}) whose encoder does not open alone; use an encoder, "
            "a decoder, or T5, mT5, UMT5 or T5Gemma."
        )
    kind = AutoModelForTextEncoding if opens_alone else AutoModel
    options: dict[str, Any] = {"attn_implementation": "eager"} if on_cpu() else {}
    backbone = kind.from_pretrained(folder, dtype=torch.float32, use_safetensors=True, **options)
    if is_decoder(config):
        backbone.config.use_cache = False  # nothing is written behind the text
    return backbone


class TextEncoder(StateEncoder):
    """Transformer encoder of any family, with a token cache.

    Args:
        name: Name of the weights, as `core.models.weights.resolve` takes it.
        adapt: Part that is trained, see `core.models.adapters.adapted`. Under `top`, what the frozen layers below say
            of a text is computed once (without dropout) and kept.
        layers: Number of uppermost layers that `top` trains.
        rank: Rank of low-rank adapters, or tokens of a prefix or prompt.
        max_length: Window in tokens; see `core.data.windows` for what is read of a longer text.
        precision: Number format, see `core.models.devices.autocast`.
        pooling: Vector that stands for a text; None takes what the model was made with.
        query_prefix: Text put before what a policy reads and before questions; None as `pooling`.
        document_prefix: Text put before what questions are compared with; None as `pooling`.

    Raises:
        SteerError: An encoder of this family cannot be opened, adapted or pooled so.
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
        pooling: Pooling | None = None,
        query_prefix: str | None = None,
        document_prefix: str | None = None,
    ) -> None:
        super().__init__()
        self.name, self.adapt, self.max_length, self.precision = name, adapt, max_length, precision
        self.tokenizer = AutoTokenizer.from_pretrained(resolve(name))
        backbone = load_backbone(name)
        self.backbone: Any = adapted(backbone, adapt, layers, rank)
        self.width: int = backbone.config.hidden_size
        self.conventions = conventions_of(resolve(name), backbone.config, pooling, query_prefix, document_prefix)
        self._asked = {"pooling": pooling, "query_prefix": query_prefix, "document_prefix": document_prefix}
        self._virtual = virtual_tokens(adapt, rank)
        self._frozen_layers = lower_layers(backbone, layers) if adapt == "top" and can_split(backbone) else 0
        self._halves = split_backbone(backbone, self._frozen_layers) if self._frozen_layers else None
        self._activations: ActivationCache | LRUCache[Shown, Tensor] | None = None
        self._tokens: LRUCache[str, list[int]] = LRUCache(_TOKENS)
        self._frozen_vectors: LRUCache[str, Tensor] = LRUCache(_VECTORS)
        self._is_frozen = adapt == "frozen"

    @classmethod
    def of(cls, settings: EncoderSettings, *, frozen: bool = False, max_length: int | None = None) -> "TextEncoder":
        """The encoder that settings describe.

        Args:
            settings: Settings of the encoder.
            frozen: Whether nothing of it is trained.
            max_length: Window in tokens; None is what the settings say.
        """
        return cls(
            settings.name,
            adapt="frozen" if frozen else settings.adapt,
            layers=settings.layers,
            rank=settings.rank,
            max_length=max_length or settings.max_length,
            precision=settings.precision,
            pooling=None if settings.pooling == "auto" else settings.pooling,
            query_prefix=settings.query_prefix,
            document_prefix=settings.document_prefix,
        )

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.backbone.parameters()).device

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Pooled vectors of the last layer, float32 of shape (texts, width)."""
        return self._vectors(self._prefixed(texts, "query"))

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text with its prefix, after cutting to the window."""
        return self._lengths(self._prefixed(texts, "query"))

    @torch.no_grad()
    def embed(self, texts: Sequence[str], *, role: Role = "query", tokens_per_batch: int = 2048) -> np.ndarray:
        """Unit-length vectors for retrieval, float32 of shape (texts, width).

        Args:
            texts: Any number of texts.
            role: Role of the texts: `document` for what questions are compared with, `query` for questions, and for
                texts that are compared with their like. The model's prefix of that role is put before each.
            tokens_per_batch: Number of tokens that are computed at once.
        """
        shown = self._prefixed(texts, role)
        vectors = np.zeros((len(texts), self.width), dtype=np.float32)
        for rows in bucketed(self._lengths(shown), tokens_per_batch):
            found = self._vectors([shown[row] for row in rows])
            vectors[rows] = nn.functional.normalize(found, dim=-1).cpu().numpy()
        return vectors

    def preload(self, documents: Iterable[str], queries: Iterable[str]) -> None:
        """Know the vectors of texts that every start asks for, from the cache on disk; this encoder must be frozen.

        Args:
            documents: Texts that `embed` will be asked for as documents.
            queries: Texts that it will be asked for as queries.

        Raises:
            SteerError: The disk is full.
        """
        assert self.adapt == "frozen"
        shown = self._prefixed(list(documents), "document") + self._prefixed(list(queries), "query")
        different = list(dict.fromkeys(shown))
        weights = "".join(sha256_of(file) for file in sorted(resolve(self.name).glob("*.safetensors")))
        source = f"{weights} {self.max_length} {self._kind} {self.conventions.pooling} without the middle"
        kept = cached_embeddings(source, different, lambda new: torch.stack(self._frozen_pooled(list(new))))
        by_text = dict(zip(different, kept, strict=True))
        self._frozen_vectors.get(different, lambda new: [by_text[text] for text in new])

    def freeze(self) -> None:
        self._is_frozen = True

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
        """Write pooling and prefixes, in sentence-transformers' layout."""
        self.conventions.save(folder, self.width)

    def export(self, folder: Path) -> None:
        """Write backbone (or PEFT adapter) and tokenizer too, so that sentence-transformers opens the folder.

        It knows nothing of marks: of a text that has some it gives the vector of all tokens.
        """
        self.backbone.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        self.save(folder)

    def load(self, folder: Path) -> None:
        """Read texts as the encoder did that was saved, whatever the files beside its pretrained weights say by now.

        Raises:
            SteerError: The settings ask for another pooling or prefix.
        """
        saved = saved_conventions(folder)
        if saved is None:
            return
        trained = {"pooling": saved.pooling, "query_prefix": saved.query, "document_prefix": saved.document}
        for name, asked in self._asked.items():
            if asked not in (None, trained[name]):
                raise SteerError(
                    f"{folder} was trained with encoder.{name}={trained[name]!r}, and the settings say {asked!r}; take "
                    "that over, or train again."
                )
        self.conventions = saved
        self._tokens, self._frozen_vectors = LRUCache(_TOKENS), LRUCache(_VECTORS)

    def after_step(self, done: int, total: int) -> None:
        """Let AdaLoRA move its budget of ranks."""
        if self.adapt == "adalora":
            reallocate_ranks(self.backbone, done, total)

    def allow_second_derivatives(self) -> None:
        """Attention step by step instead of in one fused kernel, and float32."""
        for model in (self.backbone, *(self._halves or ())):
            model.set_attn_implementation("eager")
        self.precision = "fp32"

    def _prefixed(self, texts: Sequence[str], role: Role) -> list[str]:
        prefix = self.conventions.prefix(role)
        return [prefix + text for text in texts]

    # What follows takes texts with their prefixes.

    def _tokenized(self, texts: Sequence[str]) -> list[list[int]]:
        prefixes = (self.conventions.query, self.conventions.document)
        return self._tokens.get(texts, lambda new: window_of(self.tokenizer, new, self.max_length, prefixes))

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        return [len(tokens) for tokens in self._tokenized(texts)]

    def _vectors(self, texts: Sequence[str]) -> Tensor:
        return self._remembered(texts) if self._is_frozen else self._pooled(texts)

    def _pooled(self, texts: Sequence[str]) -> Tensor:
        if self._halves is None:
            inputs = {"input_ids": self._padded([torch.tensor(tokens) for tokens in self._tokenized(texts)])}
            return self._through(self.backbone, texts, inputs)
        return self._through(self._halves[1], texts, {"inputs_embeds": self._padded(self._lower(texts)).float()})

    def _through(self, model: Any, texts: Sequence[str], inputs: dict[str, Tensor]) -> Tensor:
        lengths = torch.tensor(self._lengths(texts))
        mask = (torch.arange(int(lengths.max())) < lengths[:, None]).to(self.device)
        with autocast(self.device, self.precision):
            hidden = model(**inputs, attention_mask=mask.long()).last_hidden_state[:, self._virtual :]
        return self._with_marks(texts, hidden, mask)

    def _with_marks(self, texts: Sequence[str], hidden: Tensor, mask: Tensor) -> Tensor:
        """The vector of each text; half of it is that of the marks (`core.data.windows.MARK`) of a text that has some.

        A mark has seen the text around it, so it tells what the text says of what is asked about, as in
        target-dependent sentiment classification (TD-BERT: Gao et al. 2019).
        """
        vectors = pooled(hidden, mask, self.conventions.pooling)
        if self.tokenizer.mask_token_id is None:
            return vectors
        ids = self._padded([torch.tensor(tokens) for tokens in self._tokenized(texts)])
        marked = mask & (ids == self.tokenizer.mask_token_id)
        is_marked = marked.any(1, keepdim=True)
        of_marks = pooled(hidden, torch.where(is_marked, marked, mask), "mean")
        return torch.where(is_marked, (vectors + of_marks) / 2, vectors)

    def _padded(self, rows: list[Tensor]) -> Tensor:
        filling = (self.tokenizer.pad_token_id or 0) if rows[0].ndim == 1 else 0
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=filling).to(self.device)

    @torch.no_grad()
    def _lower(self, texts: Sequence[str]) -> list[Tensor]:
        """What the frozen layers say of each token of each text."""
        if self._activations is None:
            self._activations = ActivationCache(self.width, self._kind)
        return self._activations.get(list(zip(texts, self._lengths(texts), strict=True)), self._through_lower)

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
        for rows in bucketed(self._lengths(texts), 2048):
            found[rows] = self._pooled([texts[row] for row in rows]).cpu()
        self.train(training)
        return tuple(row.clone() for row in found)  # a view that is kept would keep all of its batch
