"""How words are compared: without case, accents, and the plurals of the languages that wishes are read in."""

import re
import unicodedata

_HAN = r"\u3400-\u9fff"
_SEAM = re.compile(rf"(?<=[{_HAN}])(?=[a-z0-9])|(?<=[a-z0-9])(?=[{_HAN}])")
WORD = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+(?:'(?![st]\b)[^\W_{_HAN}]+)*")
_PLURALS = (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("s", ""))


def folded(text: str) -> str:
    """Lower case without accents, with plain quotation marks, and with gaps between Han and other letters."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").replace("–", "-")
    letters = unicodedata.normalize("NFD", text)
    return _SEAM.sub(" ", unicodedata.normalize("NFC", "".join(c for c in letters if not unicodedata.combining(c))))


def plain(text: str) -> str:
    """The words of a text, as `folded` spells them, parted by one space."""
    return " ".join(WORD.findall(folded(text)))


def singular(word: str) -> str:
    """A word without the ending of a plural: comedies and comedy, thrillers and thriller are the same."""
    for ending, instead in _PLURALS:
        if word.endswith(ending) and len(word) > len(ending) + 2 and not word.endswith("ss"):
            return word.removesuffix(ending) + instead
    return word


def is_han(text: str) -> bool:
    """Whether a text has Chinese characters."""
    return re.search(rf"[{_HAN}]", text) is not None


def is_within(words: str, text: str) -> bool:
    """Whether a plain text holds plain words, each in singular or plural."""
    if is_han(words):
        return words in text
    return re.search(rf"(?<!\w){' '.join(_either_number(word) for word in words.split())}(?!\w)", text) is not None


def _either_number(word: str) -> str:
    one = re.escape(singular(word))
    return rf"(?:{one}|{one}e?s|{one[:-1]}ies)" if one.endswith("y") else rf"{one}(?:e?s)?"
