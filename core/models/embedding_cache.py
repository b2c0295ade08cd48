"""Vectors of texts that every start asks for, computed once and kept in the cache."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.util.files import replace_file
from core.util.paths import cache_folder

_MOST_FILES = 32


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
