"""Finds the items that a sentence names."""

from collections.abc import Iterator, Sequence

import numpy as np

from apps.recommender.data import Item
from apps.recommender.wishes.cues import AFTER_NAME
from apps.recommender.wishes.spelling import WORD, is_han, plain

_LONGEST = 12
_LONGEST_HAN = 30
_ARTICLES = ("the ", "a ", "an ", "der ", "die ", "das ", "el ", "la ", "los ", "las ", "le ", "les ")


class Titles:
    """Items by what people call them: the whole title, or what stands before a colon or bracket, without article too.

    Args:
        items: All items, by row.
        popularity: Number of likes of each; of several items of a name the best-known one is meant.
    """

    def __init__(self, items: Sequence[Item], popularity: np.ndarray) -> None:
        self._rows: dict[str, int] = {}
        known = [items[row] for row in np.argsort(-popularity, kind="stable")]
        whole = [(plain(item.title), item.row) for item in known]
        short = [(plain(part), item.row) for item in known for part in _parts(item.title)]
        for name, row in [*whole, *((_without_article(name), row) for name, row in whole), *short]:
            if name:
                self._rows.setdefault(name, row)

    def whole(self, text: str) -> int | None:
        """Row of the item whose name a whole text is."""
        return self._rows.get(plain(text))

    def at(self, text: str, start: int) -> tuple[int, int] | None:
        """Row of the item that a text names from a place on, and where its name ends; the longest name counts.

        A name ends where the sentence does, or before a word such as `but`: "like big explosions" does not name Big.
        """
        words = list(WORD.finditer(text, start))[: _LONGEST + 1]
        for count in range(min(len(words), _LONGEST), 0, -1):
            end = words[count - 1].end()
            follows = words[count][0] if count < len(words) and not text[end : words[count].start()].strip() else ""
            row = self.whole(text[start:end])
            if row is not None and (not follows or follows in AFTER_NAME or is_han(follows)):
                return row, end
        return self._at_han(text, start)

    def _at_han(self, text: str, start: int) -> tuple[int, int] | None:
        """The same for a name that Chinese characters follow without a gap."""
        if not is_han(text[start : start + 1]):
            return None
        ends = range(min(len(text), start + _LONGEST_HAN), start + 1, -1)
        found = ((self.whole(text[start:end]), end) for end in ends)
        return next(((row, end) for row, end in found if row is not None), None)


def _parts(title: str) -> Iterator[str]:
    for mark in (":", "(", " - "):
        first, _, rest = title.partition(mark)
        if rest:
            yield first


def _without_article(name: str) -> str:
    return next((name.removeprefix(article) for article in _ARTICLES if name.startswith(article)), "")
