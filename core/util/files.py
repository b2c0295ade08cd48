"""Writes that a kill or a full disk cannot leave half done."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from safetensors import SafetensorError

from core.util.errors import SteerError

_UNWRITTEN = (OSError, SafetensorError)  # the second is how safetensors reports that the disk is full


def _full_disk(path: Path, error: OSError | SafetensorError) -> SteerError:
    return SteerError(
        f"could not write {path}: {getattr(error, 'strerror', None) or error}. What was there before is untouched; "
        "free some disk space and run the same command again to go on."
    )


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` to write to; that file takes the place of `path` only when the block ends well.

    Raises:
        SteerError: The disk is full or the folder cannot be written; the old file stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except _UNWRITTEN as error:
        raise _full_disk(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` whole or not at all.

    Raises:
        SteerError: The disk is full or the folder cannot be written; the old file stays.
    """
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all (see `write_text`)."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; it takes the place of `path` only when the block ends well.

    A kill between the two renames leaves the old folder as `path.old`, which `recover_folder` puts back.

    Raises:
        SteerError: The disk is full or the folder cannot be written; the old folder stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise _full_disk(path, error) from error
    try:
        yield temporary
        _swap(temporary, path)
    except _UNWRITTEN as error:
        raise _full_disk(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def recover_folder(path: Path) -> None:
    """Put back the folder that an interrupted `replace_folder` had moved aside."""
    aside = path.with_name(f"{path.name}.old")
    if aside.exists() and not path.exists():
        aside.rename(path)


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _swap(temporary: Path, path: Path) -> None:
    aside = path.with_name(f"{path.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if path.exists():
        path.rename(aside)
    temporary.rename(path)
    shutil.rmtree(aside, ignore_errors=True)
