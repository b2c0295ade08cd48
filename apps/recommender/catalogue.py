"""Looking up films, and the users of the shipped data."""

import unicodedata
from collections import Counter
from dataclasses import dataclass

import numpy as np

from apps.recommender.data import SOURCE, Film, MovieLens
from core.util.errors import SteerError
from core.util.text_input import check_text

MAX_WORDS = 500
SHOWN_USERS = 24


@dataclass(frozen=True)
class UserSummary:
    """A user of the shipped data.

    Attributes:
        user: Number of the user.
        likes: Number of films that they like.
        genres: Genres that they like most of all.
    """

    user: int
    likes: int
    genres: tuple[str, ...]


class Catalogue:
    """All films, and who the shipped data know.

    Args:
        data: Films and users.
        popularity: Number of likes of each film.
    """

    terms = SOURCE.licence

    def __init__(self, data: MovieLens, popularity: np.ndarray) -> None:
        self.data, self._popularity = data, popularity
        self._titles = [_plain(film.title) for film in data.items]

    def film(self, row: int) -> Film:
        """The film of a row.

        Raises:
            SteerError: There is no such row.
        """
        if not 0 <= row < len(self.data.items):
            raise SteerError(f"There is no film number {row}; there are films 0 to {len(self.data.items) - 1}.")
        return self.data.items[row]

    def search(self, title: str, count: int = 6) -> list[Film]:
        """Films whose title holds every word of `title`, the best known first.

        Raises:
            SteerError: `title` is empty, too long or no text.
        """
        wanted = _plain(checked_words(title)).split()
        found = [row for row, plain in enumerate(self._titles) if all(word in plain for word in wanted)]
        begins = " ".join(wanted)
        found.sort(key=lambda row: (not self._titles[row].startswith(begins), -self._popularity[row], row))
        return [self.data.items[row] for row in found[:count]]

    def users(self, count: int = SHOWN_USERS) -> list[UserSummary]:
        """Some users, from those with few likes to those with many."""
        known = sorted(self.data.users, key=lambda user: (len(self.data.users[user].likes), user))
        picked = {known[place] for place in np.linspace(0, len(known) - 1, count).astype(int)}
        return [self._summary(user) for user in sorted(picked)]

    def past(self, user: int) -> tuple[list[int], list[int]]:
        """Films that a user of the shipped data liked, and all that they saw, oldest first.

        Raises:
            SteerError: Nobody has that number.
        """
        events = self.data.users.get(user)
        if events is None:
            raise SteerError(
                f"There is no user {user}; known users are {min(self.data.users)} to {max(self.data.users)}."
            )
        return events.items[events.likes].tolist(), events.items.tolist()

    def _summary(self, user: int) -> UserSummary:
        liked, _ = self.past(user)
        genres = Counter(genre for film in liked for genre in self.data.items[film].genres)
        return UserSummary(user, len(liked), tuple(genre for genre, _ in genres.most_common(3)))


def checked_words(words: str) -> str:
    """What a visitor typed, on one line and without invisible characters.

    Raises:
        SteerError: It is empty, too long, or mostly not text.
    """
    return " ".join(check_text(words, max_length=MAX_WORDS, what="a few words").split())


def _plain(text: str) -> str:
    """Lower case, without accents and punctuation, so that `amelie` finds Amélie."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c if c.isalnum() else " " for c in letters if not unicodedata.combining(c)).split())
