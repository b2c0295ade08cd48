"""The three parts of a data set: given by a column, cut by time, or made."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from core.data.duplicates import near_duplicate_groups
from core.util.errors import SteerError

if TYPE_CHECKING:
    from datasets import Dataset

Split = Literal["train", "validation", "test"]
Splits: TypeAlias = Mapping[Split, "Dataset"]
SPLITS: tuple[Split, ...] = get_args(Split)
_OTHER_NAMES: dict[str, Split] = {"training": "train", "valid": "validation", "val": "validation", "dev": "validation"}
# Rows are dealt like cards: three fifths for training, a fifth each for validation and test.
_DEAL: tuple[Split, ...] = ("train", "validation", "test", "train", "train")


def halves_of(values: Iterable[Any]) -> np.ndarray:
    """Which half of the data each text, or array, falls into by chance and always, bool of shape (values,)."""
    content = (value.encode() if isinstance(value, str) else np.asarray(value).tobytes() for value in values)
    return np.array([blake2b(each, digest_size=1).digest()[0] % 2 for each in content], dtype=bool)


def split_sizes(splits: Iterable[Split | None]) -> dict[str, int]:
    """Number of rows by split, in the order of the splits; those of no split are not counted."""
    counts = Counter(splits)
    return {split: counts[split] for split in SPLITS}


def split_named(name: str) -> Split | None:
    """The split that a name means, such as `dev` of a column or of a file; None where it means none."""
    name = name.strip().lower()
    return next((split for split in SPLITS if split == name), None) or _OTHER_NAMES.get(name)


def split_by_column(data: "Dataset", column: str) -> Splits:
    """Rows by the split that a column names.

    Raises:
        SteerError: There is no such column, a row names no split, or a split has no rows.
    """
    names = _values(data, column)
    splits = {name: split_named(str(name)) for name in set(names)}
    wrong = sorted(str(name) for name, split in splits.items() if split is None)
    if wrong:
        raise SteerError(f"column {column!r} must say train, validation or test; it says {wrong[0]!r}")
    return _parts(data, [splits[name] for name in names])


def split_by_time(data: "Dataset", column: str) -> Splits:
    """The oldest three fifths for training, the next fifth for validation, the newest for test.

    Rows of one moment stay together, so whatever is trained on is older than whatever is measured on.

    Raises:
        SteerError: There is no such column, a row has no time, or the rows are of fewer than three moments.
    """
    times = _values(data, column)
    if any(time is None for time in times):
        raise SteerError(f"column {column!r} is empty in a row; leave such rows out before splitting by time")
    moments, moment_of, counts = np.unique(np.array(times), return_inverse=True, return_counts=True)
    _at_least_three(len(moments), f"moments in column {column!r}")
    done = np.cumsum(counts)
    first = min(_nearest(done, 0.6 * len(times)), len(moments) - 3)
    second = min(max(_nearest(done, 0.8 * len(times)), first + 1), len(moments) - 2)
    part_of = np.searchsorted([first, second], moment_of)
    return _parts(data, [SPLITS[part] for part in part_of])


def split_randomly(
    data: "Dataset", *, label: str | None = None, text: str | None = None, group: str | None = None, seed: int = 0
) -> Splits:
    """Three fifths of the rows for training, and a fifth each for validation and test.

    Args:
        data: Rows to divide.
        label: Column whose values have the same share in each part, as far as their number allows.
        text: Column of texts; near-duplicates (`near_duplicate_groups`) stay in one part.
        group: Column, such as a customer's name, whose equal values stay in one part.
        seed: Seed of the order; equal seeds divide equally.

    Raises:
        SteerError: There is no such column, or there are fewer than three rows that may be parted.
    """
    _at_least_three(len(data), "rows")
    bonds = []
    if text is not None:
        bonds.append(near_duplicate_groups([str(value) for value in _values(data, text)]))
    if group is not None:
        bonds.append(_codes(_values(data, group)))
    unit_of = _together(bonds, len(data))
    first_row = np.unique(unit_of, return_index=True)[1]
    _at_least_three(len(first_row), "rows that are not bound together")
    labels = np.zeros(len(data), dtype=np.int64) if label is None else _codes(_values(data, label))
    sizes = np.bincount(unit_of)
    # Within a label, units of one size are dealt in turn: parts are equal in labels, and in rows as well.
    order = np.lexsort((np.random.default_rng(seed).random(len(first_row)), -sizes, labels[first_row]))
    part_of = np.empty(len(first_row), dtype=np.int64)
    part_of[order] = np.arange(len(order)) % len(_DEAL)
    return _parts(data, [_DEAL[part] for part in part_of[unit_of]])


def _parts(data: "Dataset", split_of: Sequence[Split | None]) -> Splits:
    rows: dict[Split, list[int]] = {split: [] for split in SPLITS}
    for row, split in enumerate(split_of):
        assert split is not None
        rows[split].append(row)
    empty = next((split for split in SPLITS if not rows[split]), None)
    if empty is not None:
        raise SteerError(f"no row is of the split {empty}; give rows for it, or let the splits be made at random")
    return {split: data.select(rows[split]) for split in SPLITS}


def _values(data: "Dataset", column: str) -> list:
    """Values of a column, classes by their names."""
    from datasets import ClassLabel

    if column not in data.column_names:
        raise SteerError(f"there is no column {column!r} to split by; there are {', '.join(data.column_names)}")
    values, kind = data[column][:], data.features[column]
    return [kind.int2str(value) for value in values] if isinstance(kind, ClassLabel) else values


def _codes(values: Sequence) -> np.ndarray:
    """Number of each value, int64 of shape (values,); empty values are each their own."""
    numbers: dict = {}
    return np.array(
        [numbers.setdefault((row,) if value is None else value, len(numbers)) for row, value in enumerate(values)],
        dtype=np.int64,
    )


def _together(bonds: Sequence[np.ndarray], rows: int) -> np.ndarray:
    """Number of the unit of each row: rows that any bond ties together, directly or not, are one unit."""
    if not bonds:
        return np.arange(rows)
    nodes = [bond + rows + sum(int(other.max()) + 1 for other in bonds[:at]) for at, bond in enumerate(bonds)]
    size = rows + sum(int(bond.max()) + 1 for bond in bonds)
    links = np.concatenate([np.stack([np.arange(rows), node]) for node in nodes], axis=1)
    graph = coo_array((np.ones(links.shape[1], dtype=bool), tuple(links)), shape=(size, size))
    return np.unique(connected_components(graph, directed=False)[1][:rows], return_inverse=True)[1]


def _nearest(done: np.ndarray, wanted: float) -> int:
    """The moment after which the number of rows is nearest to the wanted one."""
    return int(np.abs(done - wanted).argmin())


def _at_least_three(number: int, of_what: str) -> None:
    if number < len(SPLITS):
        raise SteerError(f"three splits need at least 3 {of_what}; there are {number}")
