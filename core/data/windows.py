"""Texts as token ids that fit a window: what an encoder reads of a conversation, or of a message, that is too long."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

# Characters further than this from both ends of a text cannot reach a window: leaving them out keeps tokenising cheap.
_CHARACTERS_PER_TOKEN = 12


def window_of(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], window: int) -> list[list[int]]:
    """Token ids of texts, each at most `window`, with the tokenizer's special tokens.

    Of a conversation that is too long the oldest turns go first. Its turns are lines, the oldest first; or, where the
    tokenizer's separator (`[SEP]`) stands between them, the newest first. A single message keeps both of its ends, and
    so does a newest turn that alone is too long: the matter is often named at the beginning, and as often at the end.

    Args:
        tokenizer: Tokenizer that puts at most one special token at the beginning and one at the end of a text.
        texts: Any number of texts.
        window: Number of tokens that there is room for, at least 4.
    """
    reach = window * _CHARACTERS_PER_TOKEN

    def ids(several: Sequence[str]) -> list[list[int]]:
        near = [text if len(text) <= 2 * reach else f"{text[:reach]} {text[-reach:]}" for text in several]
        return tokenizer(near, verbose=False)["input_ids"] if near else []

    def shortened(text: str, whole: list[int]) -> list[int]:
        separator = tokenizer.sep_token
        newest_first = bool(separator) and separator in text
        newest = text.split(separator)[0] if newest_first else text.strip().rpartition("\n")[2]
        [alone] = ids([newest])
        if len(alone) > window:
            return _without_middle(alone, window, window // 2)
        return _without_middle(whole, window, window - 1 if newest_first else 1)

    return [
        each if len(each) <= window else shortened(text, each) for text, each in zip(texts, ids(texts), strict=True)
    ]


def _without_middle(ids: list[int], window: int, first: int) -> list[int]:
    """The `first` ids, and as many of the last as there is room for: one of either are special tokens."""
    return ids[:first] + ids[first - window :]
