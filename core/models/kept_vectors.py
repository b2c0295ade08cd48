"""Vectors of texts that every start asks for, computed once and kept in the cache."""

import hashlib
from collections.abc import Callable, Sequence

from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.files import replace_file
from core.paths import cache_dir


def kept_vectors(source: str, texts: Sequence[str], compute: Callable[[Sequence[str]], Tensor]) -> Tensor:
    """Vectors of some texts, float32 of shape (texts, width).

    Args:
        source: all that the vectors depend on besides the texts.
        texts: in any number.
        compute: makes them when the cache does not hold them, or holds a damaged file; processes take turns.

    Raises:
        SteerError: the disk is full.
    """
    digest = hashlib.sha256(source.encode())
    for text in texts:
        digest.update(b"\0" + text.encode())
    file = cache_dir() / "vectors" / f"{digest.hexdigest()[:24]}.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        try:
            return load_file(file)["vectors"]
        except (FileNotFoundError, SafetensorError):
            vectors = compute(texts)
            with replace_file(file) as temporary:
                save_file({"vectors": vectors.contiguous()}, temporary)
            return vectors
