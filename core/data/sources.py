"""Opens whatever a table may come from: files, a folder of them, a name on the Hugging Face Hub, data in memory."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from core.data.row_files import SUFFIXES, Record, file_records, numbered
from core.data.splits import split_named
from core.util.errors import SteerError
from core.util.paths import cache_folder

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict

Source: TypeAlias = Union[str, Path, "Dataset", "DatasetDict", "IterableDataset", "IterableDatasetDict", "pd.DataFrame"]
"""Where a table comes from: a file or folder, a name on the Hub, or data in memory."""


@dataclass(frozen=True)
class Records:
    """A source that has been opened.

    Attributes:
        name: Name of the source for people.
        read: Function that reads the rows, from the first one at each call.
    """

    name: str
    read: Callable[[], Iterator[Record]]


def open_source(source: Source, *, streaming: bool = False) -> Records:
    """Open a source.

    A string that is neither a file nor a folder, and does not look like one, is a name on the Hub. Offline, only what
    was loaded before is found there.

    Args:
        source: Source of the table.
        streaming: Whether a data set of the Hub is read over the network row by row, and not kept.

    Raises:
        SteerError: There is no such source.
    """
    if isinstance(source, str) and not _looks_like_a_path(source):
        return Records(source, _parts(_from_hub(source, streaming=streaming)))
    if isinstance(source, str | Path):
        path = Path(source)
        return Records(str(path), (lambda: _folder(path)) if path.is_dir() else (lambda: file_records(path)))
    return Records(f"the {type(source).__name__}", _parts(source))


def _looks_like_a_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or name.lower().endswith(SUFFIXES) or Path(name).exists()


def _folder(folder: Path) -> Iterator[Record]:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.name[0] != ".")
    if not files:
        raise SteerError(f"{folder} holds no table; tables are files that end in {', '.join(SUFFIXES)}")
    for file in files:
        if not file.resolve().is_relative_to(folder.resolve()):
            raise SteerError(f"{file} is a link out of {folder}; copy the file there")
        for record in file_records(file):
            yield _of_part(record, str(file.relative_to(folder)), file.stem)


def _parts(data: Any) -> Callable[[], Iterator[Record]]:
    """Reads data in memory, or the parts of a data set one after the other."""
    import pandas as pd
    from datasets import Dataset, IterableDataset

    if isinstance(data, pd.DataFrame):
        return lambda: numbered({str(name): value for name, value in row.items()} for row in data.to_dict("records"))
    if isinstance(data, Dataset | IterableDataset):
        return lambda: numbered(_with_names(data))
    if isinstance(data, Mapping):
        return lambda: (
            _of_part(record, str(name), str(name)) for name, part in data.items() for record in _parts(part)()
        )
    raise SteerError(f"cannot read a table from {type(data).__name__}; give a file, a name on the Hub, or a Dataset")


def _of_part(record: Record, part: str, split: str) -> Record:
    return dataclasses.replace(record, place=f"{part} {record.place}", part=part, split=split_named(split))


def _with_names(data: "Dataset | IterableDataset") -> Iterator[dict[str, Any]]:
    """Rows with the names of their classes instead of numbers."""
    from datasets import ClassLabel

    labels = {name: kind for name, kind in (data.features or {}).items() if isinstance(kind, ClassLabel)}
    for row in data.with_format(None):
        named = {name: kind.int2str(row[name]) for name, kind in labels.items() if row[name] not in (None, _UNLABELLED)}
        yield {**row, **named}


_UNLABELLED = -1  # how data sets of the Hub mark a row whose class is kept secret


def _from_hub(name: str, *, streaming: bool) -> Any:
    from datasets import load_dataset

    try:
        return load_dataset(name, cache_dir=str(cache_folder("datasets")), streaming=streaming)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()
        raise SteerError(
            f"there is no file or folder {name}, and no data set of that name could be loaded from the Hugging Face "
            f"Hub ({reason[0] if reason else type(error).__name__})"
        ) from error
