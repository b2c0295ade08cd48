"""Looking up items, and the users whom the data know."""

import unicodedata
from collections import Counter
from dataclasses import dataclass

import numpy as np

from apps.recommender.data import Item, ShopData
from core.util.errors import SteerError
from core.util.text_input import check_text

MAX_WORDS = 500
SHOWN_USERS = 24

_SHOWN = 60


@dataclass(frozen=True)
class UserSummary:
    """A user whom the data know.

    Attributes:
        user: Id of the user.
        likes: Number of items that they like.
        tags: Tags that they like most of all.
    """

    user: str
    likes: int
    tags: tuple[str, ...]


class Catalogue:
    """All items, and whom the data know.

    Args:
        data: Items and users.
        popularity: Number of likes of each item.
    """

    def __init__(self, data: ShopData, popularity: np.ndarray) -> None:
        self.data, self._popularity = data, popularity
        self._titles = [_plain(item.title) for item in data.items]

    def item(self, id_: str) -> Item:
        """The item of an id.

        Raises:
            SteerError: There is no such item.
        """
        row = self.data.rows.get(id_)
        if row is None:
            raise SteerError(f"There is no item {id_[:_SHOWN]!r}; items are called as {self.data.items[0].id!r} is.")
        return self.data.items[row]

    @property
    def best_known(self) -> Item:
        """The item that most people like."""
        return self.data.items[int(self._popularity.argmax())]

    def search(self, title: str, count: int = 6) -> list[Item]:
        """Items whose title holds every word of `title`, the best known first.

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
        order = {user: at for at, user in enumerate(self.data.users)}
        known = sorted(order, key=lambda user: (len(self.data.users[user].likes), order[user]))
        picked = {known[place] for place in np.linspace(0, len(known) - 1, count).astype(int)}
        return [self._summary(user) for user in sorted(picked, key=order.__getitem__)]

    def past(self, user: str) -> tuple[list[int], list[int]]:
        """Rows of the items that a user liked, and of all that they met, oldest first.

        Raises:
            SteerError: Nobody has that id.
        """
        events = self.data.users.get(user)
        if events is None:
            first = next(iter(self.data.users))
            raise SteerError(f"There is no user {user[:_SHOWN]!r}; users are called as {first!r} is.")
        return events.items[events.likes].tolist(), events.items.tolist()

    def _summary(self, user: str) -> UserSummary:
        liked, _ = self.past(user)
        tags = Counter(tag for row in liked for tag in self.data.items[row].tags)
        return UserSummary(user, len(liked), tuple(tag for tag, _ in tags.most_common(3)))


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
