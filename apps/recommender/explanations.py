"""Why an item is on the list, in terms of what the visitor did or said."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from apps.recommender.candidates import RECENT, CandidateBuilder
from apps.recommender.wishes.wish import NO_WISH, Condition, Wish

Kind = Literal["like", "words", "asked", "described", "liked", "tag", "popular", "different"]

# Measured over real histories: about the upper third of a list's items lie this near to one that the user liked.
_ALIKE = 0.45
_DESCRIBED = 0.35
_KNOWN = 0.6
_MEMORY = 50
_EMPTY_WORDS = frozenset(ENGLISH_STOP_WORDS) | {"like", "likes", "love", "something", "want"}


@dataclass(frozen=True)
class Reason:
    """Why an item is recommended.

    Attributes:
        kind: `like` is near an item that the visitor named, `words` has a word of the visitor's in it, `asked` meets
            the conditions of their wish, `described` is near what they wrote, `liked` is near an item that they liked,
            `tag` has a tag that they like, `popular` with many people, `different` is there for variety.
        about: Title of that item, that word or that tag; empty where the kind says all.
        conditions: Conditions of the wish, where the kind is `asked`.
    """

    kind: Kind
    about: str = ""
    conditions: tuple[Condition, ...] = ()


class Explanations:
    """Finds the strongest reason for each item of a list.

    Args:
        builder: Builder that holds the items, their vectors and who liked them.
        empty_words: Words that tell nothing of an item, such as what the shop calls one.
    """

    def __init__(self, builder: CandidateBuilder, empty_words: Collection[str] = ()) -> None:
        self.builder, self.items = builder, builder.data.items
        self._empty_words = _EMPTY_WORDS.union(word.lower() for word in empty_words)

    def explain(
        self,
        items: np.ndarray,
        liked: np.ndarray,
        wish: Wish = NO_WISH,
        similarity: np.ndarray | None = None,
        unmet: Collection[Condition] = (),
    ) -> list[Reason]:
        """One reason for each item.

        Args:
            items: Items of the list, int64 of shape (items,).
            liked: Items that the visitor likes, oldest first.
            wish: Wish of the visitor.
            similarity: Similarity of each item to the rest of the wish, float32 of shape (items,).
            unmet: Conditions of the wish that the items do not meet.
        """
        if wish.like:
            nearest = self.builder.closeness(items, np.array(wish.like)).argmax(axis=1)
            return [Reason("like", self.items[wish.like[at]].title) for at in nearest]
        met = [each for each in wish.conditions if each not in unmet]
        asked = Reason("asked", conditions=tuple(sorted(met, key=lambda each: each.is_unwanted)))
        recent = liked[-_MEMORY:]
        closeness = self.builder.closeness(items, recent)
        favourites = self._favourites(liked)
        reasons = []
        for i, item in enumerate(items):
            word = self._shared_word(int(item), wish.rest) if wish.rest else ""
            nearest = int(closeness[i].argmax()) if len(recent) else -1
            if word:
                reasons.append(Reason("words", word))
            elif any(not each.is_unwanted for each in met):
                reasons.append(asked)
            elif similarity is not None and similarity[i] >= _DESCRIBED:
                reasons.append(Reason("described"))
            elif nearest >= 0 and closeness[i, nearest] >= _ALIKE:
                reasons.append(Reason("liked", self.items[recent[nearest]].title))
            else:
                reason = self._by_taste(int(item), favourites)
                reasons.append(asked if met and reason.kind == "different" else reason)
        return reasons

    def _by_taste(self, item: int, favourites: Sequence[str]) -> Reason:
        tags = self.items[item].tags
        shared = [tag for tag in favourites if tag in tags]
        if self.builder.log_popularity[item] >= _KNOWN:
            return Reason("popular")
        if shared:
            return Reason("tag", shared[0])
        return Reason("different", tags[0]) if tags else Reason("popular")

    def _favourites(self, liked: np.ndarray) -> list[str]:
        """Tags of at least a quarter of the recent likes, the commonest first."""
        recent = liked[-2 * RECENT :]
        names = [tag for item in recent for tag in self.items[item].tags]
        common = sorted(set(names), key=lambda tag: (-names.count(tag), tag))
        return [tag for tag in common if names.count(tag) >= len(recent) / 4]

    def _shared_word(self, row: int, words: str) -> str:
        item = self.items[row]
        theirs = set(self._content_words(f"{item.title} {' '.join(item.tags)}"))
        return next((word for word in self._content_words(words) if word in theirs), "")

    def _content_words(self, text: str) -> list[str]:
        return [word for word in re.findall(r"[^\W_]{3,}", text.lower()) if word not in self._empty_words]
