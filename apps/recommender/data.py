"""A shop's items, and what people did with them."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

_MOST_TAGS = 256
_USUAL_YEAR = 1990.0


@dataclass(frozen=True)
class Item:
    """Something that can be recommended.

    Attributes:
        row: Position in `ShopData.items`, which stands for the item in arrays, and nowhere else.
        id: Name of the item, as the shop writes it.
        title: Title as people say it.
        about: Further text on it; may be empty.
        tags: Kinds that it belongs to; may be empty.
        year: Year that it is from, if that is known.
        price: Price, if there is one.
        is_offered: Whether it may be recommended; what is out of stock may not.
    """

    row: int
    id: str
    title: str
    about: str = ""
    tags: tuple[str, ...] = ()
    year: int | None = None
    price: float | None = None
    is_offered: bool = True

    @property
    def text(self) -> str:
        """What a text encoder reads."""
        said = f"{self.title}. {self.about}. " if self.about else f"{self.title}. "
        return said + ", ".join(self.tags)


@dataclass(frozen=True)
class Events:
    """What one user did: each item once, oldest first.

    Attributes:
        items: Rows of `ShopData.items`, int64.
        is_liked: Whether the user likes each of them, bool; the others are only known to them.
    """

    items: np.ndarray
    is_liked: np.ndarray

    @property
    def likes(self) -> np.ndarray:
        """Positions of the liked items, int64."""
        return np.flatnonzero(self.is_liked)


@dataclass(frozen=True)
class ShopData:
    """All items, and what each user did with them.

    Attributes:
        items: Items by row.
        users: Events by the user's id.
        next_likes: Number of a user's next likes that judge a list.
    """

    items: tuple[Item, ...]
    users: Mapping[str, Events]
    next_likes: int = 5

    @cached_property
    def fingerprint(self) -> str:
        """Checksum of everything that is learnt from."""
        digest = hashlib.sha256(f"{self.next_likes}\n".encode())
        for item in self.items:
            digest.update(f"{item.id}\t{item.text}\t{item.year}\n".encode())
        for user, events in self.users.items():
            digest.update(user.encode() + events.items.tobytes() + events.is_liked.tobytes())
        return digest.hexdigest()

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Row of each item by its id."""
        return {item.id: item.row for item in self.items}

    @cached_property
    def tags(self) -> np.ndarray:
        """Which of the commonest tags each item has, float32 zeros and ones of shape (items, tags)."""
        counts = Counter(tag for item in self.items for tag in item.tags)
        column = {name: at for at, name in enumerate(sorted(name for name, _ in counts.most_common(_MOST_TAGS)))}
        tags = np.zeros((len(self.items), len(column)), dtype=np.float32)
        for item in self.items:
            tags[item.row, [column[name] for name in item.tags if name in column]] = 1.0
        return tags

    @cached_property
    def years(self) -> np.ndarray:
        """Year that each item is from, float32 of shape (items,); the median of the others where it is not known."""
        known = [item.year for item in self.items if item.year is not None]
        usual = float(np.median(known)) if known else _USUAL_YEAR
        return np.array([usual if item.year is None else item.year for item in self.items], dtype=np.float32)
