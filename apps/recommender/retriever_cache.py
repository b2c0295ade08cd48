"""Keeps a trained retriever with its text embeddings in the cache, so that it is trained once."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from apps.recommender.data import ShopData
from apps.recommender.retriever import Retriever, RetrieverSettings, new_encoder, train_encoder
from apps.recommender.splits import retriever_histories
from core.models.encoder import TextEncoder
from core.util.files import recover_folder, replace_folder
from core.util.paths import cache_folder

Announce = Callable[[str], None]

_FILE = "retriever.safetensors"
_TITLE_TOKENS, _TEXT_TOKENS = 32, 128


def open_retriever(
    data: ShopData, settings: RetrieverSettings, announce: Announce, folder: Path | None = None
) -> Retriever:
    """The retriever of these data and settings, trained when the cache does not hold it yet.

    Args:
        data: Items and events; only the oldest likes are learnt from (see `retriever_histories`).
        settings: Size and training of the retriever.
        announce: Callback for a sentence on what goes on.
        folder: Folder of all retrievers; the cache by default.

    Raises:
        SteerError: The disk is full.
    """
    histories = retriever_histories(data)
    home = folder or cache_folder("recommender")
    target = home / f"retriever-{_fingerprint(data, histories, settings)}"
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        recover_folder(target)
        kept = _read(target / _FILE)
        if kept is None:
            kept = _train(data, histories, settings, announce)
            with replace_folder(target) as fresh:
                save_file(kept, fresh / _FILE)
    texts = kept.pop("texts").numpy()
    encoder = new_encoder(texts, settings)
    encoder.load_state_dict(kept)
    return Retriever(texts, encoder)


def _train(
    data: ShopData, histories: Sequence[np.ndarray], settings: RetrieverSettings, announce: Announce
) -> dict[str, torch.Tensor]:
    announce(f"reading the texts of {len(data.items):,} items")
    longest = _TEXT_TOKENS if any(item.about for item in data.items) else _TITLE_TOKENS
    texts = TextEncoder(settings.encoder, max_length=longest).embed([item.text for item in data.items], role="document")
    encoder = train_encoder(
        histories, texts, settings, lambda done, total: announce(f"training the retriever: epoch {done} of {total}")
    )
    return {"texts": torch.from_numpy(texts), **encoder.state_dict()}


def _read(file: Path) -> dict[str, torch.Tensor] | None:
    """What `file` holds; None where there is none, or a damaged one that has to be made again."""
    try:
        return load_file(file)
    except (FileNotFoundError, SafetensorError):
        return None


def _fingerprint(data: ShopData, histories: Sequence[np.ndarray], settings: RetrieverSettings) -> str:
    """Of everything that a retriever depends on."""
    digest = hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode())
    digest.update("\n".join(item.text for item in data.items).encode())
    for history in histories:
        digest.update(history.tobytes() + b"|")
    return digest.hexdigest()[:16]
