"""Why a film is on the list, in terms of what the visitor did or said."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from apps.recommender.candidates import RECENT, CandidateBuilder

Kind = Literal["liked", "words", "described", "genre", "popular", "different"]

# Measured over real histories: about the upper third of a list's films lie this near to one that the user liked.
_ALIKE = 0.45
_DESCRIBED = 0.35
_KNOWN = 0.6
_MEMORY = 50
_EMPTY_WORDS = frozenset(ENGLISH_STOP_WORDS) | {
    "film",
    "films",
    "like",
    "likes",
    "love",
    "movie",
    "movies",
    "something",
    "want",
}


@dataclass(frozen=True)
class Reason:
    """Why a film is recommended.

    Attributes:
        kind: `liked` is near a film that the visitor liked, `words` has a word of the visitor's in it, `described` is
            near what the visitor wrote, `genre` is of a genre that the visitor likes, `popular` with many people,
            `different` is there for variety.
        about: Title of that film, that word or that genre; empty where the kind says all.
    """

    kind: Kind
    about: str = ""


class Explanations:
    """Finds the strongest reason for each film of a list.

    Args:
        builder: Builder that holds the films, their vectors and who liked them.
    """

    def __init__(self, builder: CandidateBuilder) -> None:
        self.builder, self.items = builder, builder.data.items

    def explain(
        self, films: np.ndarray, liked: np.ndarray, words: str = "", similarity: np.ndarray | None = None
    ) -> list[Reason]:
        """One reason for each film.

        Args:
            films: Films of the list, int64 of shape (films,).
            liked: Films that the visitor likes, oldest first.
            words: Words that the visitor wrote, if any.
            similarity: Similarity of each film to the words, float32 of shape (films,).
        """
        recent = liked[-_MEMORY:]
        closeness = self.builder.closeness(films, recent)
        favourites = self._favourites(liked)
        reasons = []
        for i, film in enumerate(films):
            word = self._shared_word(int(film), words) if words else ""
            nearest = int(closeness[i].argmax()) if len(recent) else -1
            if word:
                reasons.append(Reason("words", word))
            elif similarity is not None and similarity[i] >= _DESCRIBED:
                reasons.append(Reason("described"))
            elif nearest >= 0 and closeness[i, nearest] >= _ALIKE:
                reasons.append(Reason("liked", self.items[recent[nearest]].title))
            else:
                reasons.append(self._by_taste(int(film), favourites))
        return reasons

    def _by_taste(self, film: int, favourites: Sequence[str]) -> Reason:
        genres = self.items[film].genres
        shared = [genre for genre in favourites if genre in genres]
        if self.builder.log_popularity[film] >= _KNOWN:
            return Reason("popular")
        if shared:
            return Reason("genre", shared[0])
        return Reason("different", genres[0]) if genres else Reason("popular")

    def _favourites(self, liked: np.ndarray) -> list[str]:
        """Genres of at least a quarter of the recent likes, the commonest first."""
        recent = liked[-2 * RECENT :]
        names = [genre for film in recent for genre in self.items[film].genres]
        common = sorted(set(names), key=lambda genre: (-names.count(genre), genre))
        return [genre for genre in common if names.count(genre) >= len(recent) / 4]

    def _shared_word(self, film: int, words: str) -> str:
        item = self.items[film]
        theirs = set(_content_words(f"{item.title} {' '.join(item.genres)}"))
        return next((word for word in _content_words(words) if word in theirs), "")


def _content_words(text: str) -> list[str]:
    return [word for word in re.findall(r"[^\W_]{3,}", text.lower()) if word not in _EMPTY_WORDS]
