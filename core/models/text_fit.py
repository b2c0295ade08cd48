"""How well an encoder's vocabulary fits texts, before anything is learnt from them."""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import AutoTokenizer

from core.models.weights import resolve

# English takes MiniLM 1.2 tokens a word, German 2.3; what it cannot spell, as Chinese, is one unknown token a sign.
_MOST_UNKNOWN, _MOST_PIECES = 0.01, 2.0


@dataclass(frozen=True)
class TextFit:
    """How an encoder's tokenizer cuts texts.

    Attributes:
        unknown: Share of the tokens that stand for something that the encoder has no word for.
        pieces: Number of tokens that a word is cut into, on average.
    """

    unknown: float
    pieces: float

    @property
    def is_good(self) -> bool:
        """Whether the encoder was made for such texts."""
        return self.unknown <= _MOST_UNKNOWN and self.pieces <= _MOST_PIECES


def text_fit(encoder: str, texts: Sequence[str]) -> TextFit:
    """Cut texts by the tokenizer of an encoder.

    Args:
        encoder: Name of the encoder's weights.
        texts: Texts, some of which hold words.

    Raises:
        SteerError: There are no such weights.
    """
    tokenizer = AutoTokenizer.from_pretrained(resolve(encoder))
    ids = [token for row in tokenizer(list(texts), add_special_tokens=False)["input_ids"] for token in row]
    words = sum(len(text.split()) for text in texts)
    return TextFit(ids.count(tokenizer.unk_token_id) / max(len(ids), 1), len(ids) / max(words, 1))
