"""What frozen lower layers say of each text, computed once and kept in a memory-mapped file."""

import copy
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from core.util.paths import cache_folder

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
