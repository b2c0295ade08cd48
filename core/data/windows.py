"""Texts as token ids that fit a window: what an encoder reads of a conversation, or of a message, that is too long."""

from collections.abc import Sequence
from itertools import takewhile

from transformers import PreTrainedTokenizerBase

# Characters further than this from both ends of a text cannot reach a window: leaving them out keeps tokenising cheap.
_CHARACTERS_PER_TOKEN = 12


# Stands between the turns of a conversation whose newest turn comes first.
TURN = "[SEP]"
# Stands in a text for what is asked about; the tokenizer's own mask is read in its place.
MARK = "[MASK]"


def window_of(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], window: int, prefixes: Sequence[str] = ()
) -> list[list[int]]:
    """Token ids of texts, each at least one and at most `window`, with the tokenizer's special tokens.

    Of a conversation that is too long the oldest turns go first. Its turns are lines, the oldest first; or, where
    `TURN` stands between them, the newest first: the tokenizer's own separator is read in its place. A single message
    keeps both of its ends, and so does a newest turn that alone is too long: the matter is often named at the
    beginning, and as often at the end.

    Args:
        tokenizer: Tokenizer that puts at most one special token at the beginning and one at the end of a text.
        texts: Any number of texts.
        window: Number of tokens that there is room for, at least 4.
        prefixes: Beginnings that a text which has one of them keeps.
    """
    reach = window * _CHARACTERS_PER_TOKEN
    separator = tokenizer.sep_token or "\n"

    def ids(several: Sequence[str]) -> list[list[int]]:
        near = [text if len(text) <= 2 * reach else f"{text[:reach]} {text[-reach:]}" for text in several]
        read = [text.replace(TURN, separator).replace(MARK, tokenizer.mask_token or "it") for text in near]
        return tokenizer(read, verbose=False)["input_ids"] if read else []

    def shortened(text: str, whole: list[int]) -> list[int]:
        prefix = next((each for each in prefixes if each and text.startswith(each)), "")
        newest_first = TURN in text
        newest = text.split(TURN)[0] if newest_first else prefix + text.removeprefix(prefix).strip().rpartition("\n")[2]
        alone, beginning = ids([newest, prefix])
        if len(alone) > window:
            return _without_middle(alone, window, window // 2)
        if newest_first:
            return _without_middle(whole, window, window - int(whole[-1] in tokenizer.all_special_ids))
        begins = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(whole, beginning, strict=False)))
        return _without_middle(whole, window, min(begins, window // 2))

    fitting = [
        each if len(each) <= window else shortened(text, each) for text, each in zip(texts, ids(texts), strict=True)
    ]
    return [each or [tokenizer.eos_token_id or tokenizer.pad_token_id or 0] for each in fitting]


def _without_middle(ids: list[int], window: int, first: int) -> list[int]:
    """The `first` ids, and as many of the last as there is room for: one of either may be special tokens."""
    return ids[:first] + ids[len(ids) - (window - first) :]
