"""What frozen weights say of texts, computed once: whole texts in the cache folder, tokens in a memory-mapped file."""

import copy
import hashlib
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.util.files import replace_file
from core.util.paths import cache_folder

_MOST_FILES = 32
# Families of BERT's form; ELECTRA's that widens its embeddings and DeBERTa's with a convolution are left out.
_SPLIT = frozenset({"bert", "camembert", "deberta-v2", "electra", "mpnet", "roberta", "xlm-roberta"})


def cached_embeddings(source: str, texts: Sequence[str], compute: Callable[[Sequence[str]], Tensor]) -> Tensor:
    """Vectors of some texts, float32 of shape (texts, width).

    Args:
        source: Everything that the vectors depend on besides the texts.
        texts: Texts, any number.
        compute: Function that makes the vectors when the cache does not hold them, or holds a damaged file; processes
            take turns.

    Raises:
        SteerError: The disk is full.
    """
    digest = hashlib.sha256(source.encode())
    for text in texts:
        digest.update(b"\0" + text.encode())
    file = cache_folder("vectors") / f"{digest.hexdigest()[:24]}.safetensors"
    with FileLock(file.with_suffix(".lock")):
        try:
            vectors = load_file(file)["vectors"]
            file.touch()
        except (FileNotFoundError, SafetensorError):
            vectors = compute(texts)
            with replace_file(file) as temporary:
                save_file({"vectors": vectors.contiguous()}, temporary)
            _drop_oldest(file.parent)
    return vectors


def _drop_oldest(folder: Path) -> None:
    """Keep the files that were used last: every change of an app's texts leaves one that nobody asks for again."""
    used: dict[Path, float] = {}
    for file in folder.glob("*.safetensors"):
        with suppress(FileNotFoundError):  # another process may drop it too
            used[file] = file.stat().st_mtime
    for file in sorted(used, key=lambda file: used[file])[:-_MOST_FILES]:
        file.unlink(missing_ok=True)


# A text, and how many of its tokens the window shows.
Shown: TypeAlias = tuple[str, int]


class ActivationCache:
    """Vectors of each token of each text, in a file that the operating system keeps in memory as far as there is room.

    The file has no name, so it goes with the process, however that ends. Copies of a policy share one store: what
    frozen layers say is the same for all of them.

    Args:
        width: Length of a token's vector.
        dtype: Number format of the vectors, float32 or bfloat16.
    """

    def __init__(self, width: int, dtype: torch.dtype) -> None:
        folder = cache_folder("activations")
        self.dtype, self._file = dtype, tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as the store
        self._kind = np.float32 if dtype == torch.float32 else np.int16  # numpy lacks bfloat16: its bits are kept
        self._vectors = np.memmap(self._file, self._kind, "w+", shape=(4096, width))
        self._where: dict[Shown, tuple[int, int]] = {}
        self._used = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> "ActivationCache":
        return self

    def get(self, texts: Sequence[Shown], compute: Callable[[list[Shown]], Iterable[Tensor]]) -> list[Tensor]:
        """Vectors of each text, shape (tokens, width).

        Args:
            texts: Texts, any number, repeated or not.
            compute: Function from those that are not kept yet, each once, to their vectors in order.
        """
        new = [text for text in dict.fromkeys(texts) if text not in self._where]
        if new:
            for text, vectors in zip(new, compute(new), strict=True):
                self._keep(text, vectors)
        return [self._read(*self._where[text]) for text in texts]

    def _keep(self, text: Shown, vectors: Tensor) -> None:
        end = self._used + len(vectors)
        if end > len(self._vectors):
            self._vectors.flush()
            shape = (max(end, 2 * len(self._vectors)), self._vectors.shape[1])
            self._vectors = np.memmap(self._file, self._kind, "r+", shape=shape)
        stored = vectors.to(self.dtype).cpu()
        bits = stored if self.dtype == torch.float32 else stored.view(torch.int16)
        self._vectors[self._used : end] = bits.numpy()
        self._where[text], self._used = (self._used, end), end

    def _read(self, start: int, end: int) -> Tensor:
        return torch.from_numpy(np.array(self._vectors[start:end])).view(self.dtype)


def can_split(backbone: Any) -> bool:
    """Whether `split_backbone` knows an encoder's family: layers follow embeddings, with nothing between or behind."""
    return (
        backbone.config.model_type in _SPLIT
        and {name for name, _ in backbone.named_children()} <= {"embeddings", "encoder", "pooler"}
        and getattr(backbone.encoder, "conv", None) is None
    )


def split_backbone(backbone: Any, first: int) -> tuple[Any, Any]:
    """Two views of an encoder that share its weights: below layer `first`, and from it on.

    The upper one takes hidden states as `inputs_embeds`. Neither holds weights of its own.
    """
    return _with(backbone, list(backbone.encoder.layer)[:first]), _with(
        backbone, list(backbone.encoder.layer)[first:], embeddings=_Given()
    )


class _Given(nn.Module):
    """Stands in for embeddings whose work is done already."""

    def forward(self, inputs_embeds: Tensor, **_: Any) -> Tensor:
        return inputs_embeds


def _with(backbone: Any, layers: list[nn.Module], **modules: nn.Module) -> Any:
    stack = copy.copy(backbone.encoder)
    stack._modules = {**backbone.encoder._modules, "layer": nn.ModuleList(layers)}
    view = copy.copy(backbone)
    view._modules = {**backbone._modules, "encoder": stack, "pooler": None, **modules}
    return view
