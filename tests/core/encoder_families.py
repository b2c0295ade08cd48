"""Tiny random encoders of many families, each in a folder with a small tokenizer of its family's kind."""

from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

WORDS = [
    "where is my parcel", "has my order been sent", "fry the onions in butter", "my card was stolen yesterday",
    "query: how do I reset my password", "passage: choose forgot password on the page where you sign in",
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen",
]  # fmt: skip
VOCABULARY = 160  # of BPE, beside the 256 bytes
_SIZES: dict[str, Any] = {
    "vocab_size": 512, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
    "intermediate_size": 48, "max_position_embeddings": 64,
}  # fmt: skip
_T5_SIZES: dict[str, Any] = {
    "vocab_size": 512, "d_model": 32, "num_layers": 3, "num_heads": 4, "d_kv": 8, "d_ff": 48,
    "decoder_start_token_id": 0,
}  # fmt: skip
_MODERN = {"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2, "pad_token_id": 0}

# The kind of tokenizer with the special tokens that it adds, and the configuration.
FAMILIES: dict[str, tuple[str, hf.PreTrainedConfig]] = {
    "BERT": ("WordPiece [CLS] text [SEP]", hf.BertConfig(**_SIZES)),
    "RoBERTa": ("BPE [CLS] text [SEP]", hf.RobertaConfig(**_SIZES)),
    "XLM-RoBERTa": ("Unigram [CLS] text [SEP]", hf.XLMRobertaConfig(**_SIZES)),
    "DeBERTa-v2": (
        "Unigram [CLS] text [SEP]",
        hf.DebertaV2Config(**_SIZES, relative_attention=True, pos_att_type=["c2p", "p2c"], position_buckets=8,
                           norm_rel_ebd="layer_norm", position_biased_input=False),
    ),
    "MPNet": ("WordPiece [CLS] text [SEP]", hf.MPNetConfig(**_SIZES)),
    "ELECTRA": ("WordPiece [CLS] text [SEP]", hf.ElectraConfig(**_SIZES, embedding_size=16)),
    "ModernBERT": ("WordPiece [CLS] text [SEP]", hf.ModernBertConfig(**_SIZES, **_MODERN, local_attention=4)),
    "DistilBERT": (
        "WordPiece [CLS] text [SEP]",
        hf.DistilBertConfig(vocab_size=512, dim=32, n_layers=3, n_heads=4, hidden_dim=48,
                            max_position_embeddings=64),
    ),
    "ALBERT": ("Unigram [CLS] text [SEP]", hf.AlbertConfig(**_SIZES, embedding_size=16)),
    "T5 (encoder)": ("Unigram text </s>", hf.T5Config(**_T5_SIZES)),
    "GPT-2": ("BPE", hf.GPT2Config(vocab_size=512, n_embd=32, n_layer=3, n_head=4, n_positions=64)),
    "Llama": ("BPE", hf.LlamaConfig(**_SIZES, num_key_value_heads=2)),
    "Qwen3": ("BPE", hf.Qwen3Config(**_SIZES, num_key_value_heads=2, head_dim=8)),
    "Gemma 3": ("BPE [CLS] text", hf.Gemma3TextConfig(**_SIZES, num_key_value_heads=2, head_dim=8)),
}  # fmt: skip


def write_family(name: str, folder: Path) -> Path:
    """A tiny encoder of a family, with random weights."""
    kind, config = FAMILIES[name]
    torch.manual_seed(0)
    if config.is_encoder_decoder:
        hf.AutoModelForSeq2SeqLM.from_config(config).save_pretrained(folder)
    else:
        hf.AutoModel.from_config(config).save_pretrained(folder)
    _tokenizer(kind).save_pretrained(folder)
    return folder


def _tokenizer(kind: str) -> hf.PreTrainedTokenizerFast:
    """A tokenizer of an algorithm, and the special tokens that it puts around a text."""
    algorithm, *around = kind.split()
    tokenizer, trainer = _ALGORITHMS[algorithm](["<pad>", "[CLS]", "[SEP]", "</s>", "<unk>"])
    tokenizer.train_from_iterator(WORDS, trainer)
    if around:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=" ".join(around).replace("text", "$A"),
            special_tokens=[(token, tokenizer.token_to_id(token)) for token in around if token != "text"],
        )
    ends = {"cls_token": "[CLS]", "sep_token": "[SEP]"} if "[CLS]" in around else {"eos_token": "</s>"}
    return hf.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", **ends)


def _word_piece(special: list[str]) -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer, trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=special, show_progress=False)


def _unigram(special: list[str]) -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return tokenizer, trainers.UnigramTrainer(
        vocab_size=VOCABULARY, special_tokens=special, unk_token="<unk>", show_progress=False
    )


def _bytes(special: list[str]) -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, trainers.BpeTrainer(
        vocab_size=VOCABULARY + 256, special_tokens=special, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip


_ALGORITHMS = {"WordPiece": _word_piece, "Unigram": _unigram, "BPE": _bytes}
