"""Folders that are gone when whatever is shared in them is no longer needed; pytest keeps such until its end."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def temporary_folder(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """A new folder, for fixtures of a module or package: trained runs take hundreds of megabytes each."""
    folder = factory.mktemp(name)
    yield folder
    shutil.rmtree(folder)
