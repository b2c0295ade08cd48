"""What a model was made for: how its token vectors become one, and what stands before a text.

Both are read from, and written into, the files that sentence-transformers keeps beside the weights.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

from core.models.settings import Pooling
from core.util.errors import SteerError
from core.util.files import write_json

Role = Literal["query", "document"]

_FLAGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "lasttoken",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
}
_MODULES, _POOLING, _PROMPTS = "modules.json", "1_Pooling", "config_sentence_transformers.json"
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")


@dataclass(frozen=True)
class Conventions:
    """How an encoder reads a text.

    Attributes:
        pooling: Vector that stands for a text: the mean of its tokens' vectors, the first one (`cls`) or the last one.
        query: Text put before what a policy reads, before questions and before texts compared with their like.
        document: Text put before what questions are compared with.
    """

    pooling: Pooling
    query: str
    document: str

    def prefix(self, role: Role) -> str:
        """Text put before a text of this role."""
        return self.query if role == "query" else self.document

    def save(self, folder: Path, width: int) -> None:
        """Write sentence-transformers' files beside the weights.

        Args:
            folder: Folder of the weights.
            width: Length of a vector.
        """
        modules = [
            {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for at, (kind, path) in enumerate((("Transformer", ""), ("Pooling", _POOLING)))
        ]
        mode = "lasttoken" if self.pooling == "last" else self.pooling
        flags = {flag: name == mode for flag, name in _FLAGS.items()}
        write_json(folder / _MODULES, modules)
        write_json(folder / _POOLING / "config.json", {"word_embedding_dimension": width, **flags})
        prompts = {"query": self.query, "document": self.document}
        write_json(folder / _PROMPTS, {"prompts": prompts, "default_prompt_name": "query"})


def conventions_of(
    folder: Path,
    config: PreTrainedConfig,
    pooling: Pooling | None = None,
    query: str | None = None,
    document: str | None = None,
) -> Conventions:
    """What a user asks for, and where they leave it open (None) what the model was made with.

    Args:
        folder: Folder of the weights.
        config: Configuration of the model. Where the folder tells no pooling, a decoder's last token stands for a text,
            the mean of all tokens else.
        pooling: Pooling that the user asks for.
        query: Prefix of queries that the user asks for.
        document: Prefix of documents that the user asks for.

    Raises:
        SteerError: The model was made with a pooling that Steer does not have, and the user asks for no other.
    """
    told = _read(folder / _PROMPTS)
    prompts: dict[str, str] = told.get("prompts") or {}
    default = prompts.get(told.get("default_prompt_name") or "", "")
    own_document = next((prompts[name] for name in _DOCUMENT_PROMPTS if name in prompts), default)
    return Conventions(
        pooling or _pooling_in(folder) or ("last" if is_decoder(config) else "mean"),
        prompts.get("query", default) if query is None else query,
        own_document if document is None else document,
    )


def saved_conventions(folder: Path) -> Conventions | None:
    """What `Conventions.save` wrote; None where it wrote nothing, as versions before it did."""
    pooling = _pooling_in(folder)
    prompts = _read(folder / _PROMPTS).get("prompts", {})
    return pooling and Conventions(pooling, prompts["query"], prompts["document"])


def is_decoder(config: PreTrainedConfig) -> bool:
    """Whether a model reads from left to right, so that only its last token has seen the whole text."""
    return type(config) in MODEL_FOR_CAUSAL_LM_MAPPING and type(config) not in MODEL_FOR_MASKED_LM_MAPPING


def pooled(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """One vector for each text, float32 of shape (texts, width).

    Args:
        hidden: Vectors of the tokens, of shape (texts, tokens, width).
        mask: Whether a position holds a token, bool of shape (texts, tokens): the first one of each text does.
        pooling: Pooling of them.
    """
    hidden = hidden.float()
    if pooling == "mean":
        weight = mask.unsqueeze(-1).float()
        return (hidden * weight).sum(1) / weight.sum(1)
    if pooling == "cls":
        return hidden[:, 0]
    return hidden[torch.arange(len(hidden), device=hidden.device), mask.sum(1) - 1]


def _pooling_in(folder: Path) -> Pooling | None:
    """The pooling that sentence-transformers' files tell, if any."""
    paths = [module["path"] for module in _read(folder / _MODULES, []) if module["type"].endswith("Pooling")]
    told = _read(folder / paths[0] / "config.json") if paths else {}
    # Newer versions of the library name the modes, older ones keep a flag for each.
    modes = told.get("pooling_mode") or [name for flag, name in _FLAGS.items() if told.get(flag)]
    match modes if isinstance(modes, list) else [modes]:
        case []:
            return None
        case ["mean" | "cls" | "lasttoken" as mode] if told.get("include_prompt", True):
            return "last" if mode == "lasttoken" else mode
    raise SteerError(
        f"{folder} was made with a pooling that Steer does not have ({modes}, include_prompt "
        f"{told.get('include_prompt', True)}); set encoder.pooling to mean, cls or last."
    )


def _read(file: Path, otherwise: Any = None) -> Any:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else otherwise or {}
