"""Which files make a version, and the hashes that show whether they are still those that were registered."""

import re
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.util.errors import SteerError
from core.util.files import sha256_of, write_text

MANIFEST, METRICS, SETTINGS = "manifest.json", "metrics.json", "settings.yaml"
# What serving needs, what a reader wants to see, and nothing that can run code when it is opened.
REQUIRED = (SETTINGS, "fingerprint", METRICS, "rl/model/policy.safetensors")
READABLE = ("README.md", "evaluation.json", "rewards.png", "curves.png")
MODEL = "rl/model"
MAX_FILES = 100

_MODEL_FILE = re.compile(MODEL + r"(/[A-Za-z0-9_][A-Za-z0-9_.-]*){0,3}/[A-Za-z0-9_][A-Za-z0-9_.-]*")
_MODEL_SUFFIXES = (".safetensors", ".json", ".yaml", ".md", ".txt")
_MAX_NAME = 200

AppName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """What a version consists of.

    Attributes:
        format: Number of the file's format.
        app: Name of the app whose version it is.
        data: Hash (sha256) of the fingerprint of the data that it learnt from and was measured on.
        steer: Version of the program that registered it.
        files: Hash (sha256) of each file but this one, by its name below the folder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    app: AppName
    data: Digest
    steer: str = Field(pattern=r"^[ -~]{1,40}$")
    files: dict[str, Digest] = Field(max_length=MAX_FILES)


def belongs(name: str) -> bool:
    """Whether a version may hold a file of this name, written with `/` from its folder on."""
    if name in REQUIRED or name in READABLE:
        return True
    return len(name) <= _MAX_NAME and name.endswith(_MODEL_SUFFIXES) and bool(_MODEL_FILE.fullmatch(name))


def write_manifest(folder: Path, app: str, data: str) -> None:
    """Write down what `folder` holds.

    Raises:
        SteerError: The app's name cannot be a folder's, or the disk is full.
    """
    hashes = {name: sha256_of(folder / name) for name in _names(folder)}
    try:
        manifest = Manifest(app=app, data=data, steer=installed_version("steer"), files=hashes)
    except ValidationError as error:
        raise SteerError(f"{app!r} cannot have versions: {_first(error)}") from error
    write_text(folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")


def verify(folder: Path, called: str | None = None) -> Manifest:
    """The manifest of a version whose files are exactly those that it lists.

    Args:
        folder: Folder of the version.
        called: Name that messages speak of; the folder by default.

    Raises:
        SteerError: There is no manifest, or a file is missing, changed or not listed.
    """
    file, called = folder / MANIFEST, called or str(folder)
    if not file.is_file():
        raise SteerError(f"{called} is no model version: it has no {MANIFEST}")
    try:
        manifest = Manifest.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise SteerError(f"{MANIFEST} of {called} is damaged: {_first(error)}") from error
    present = set(_names(folder)) - {MANIFEST}
    wrong = [
        *(f"{name} is missing" for name in sorted({*manifest.files, *REQUIRED} - present)),
        *(f"{name} is not in the manifest" for name in sorted(present - manifest.files.keys())),
        *(f"{name} does not belong in a version" for name in sorted(present) if not belongs(name)),
    ]
    if not wrong:  # hashing takes its time
        wrong = [f"{name} was changed" for name, sha in manifest.files.items() if sha256_of(folder / name) != sha]
    if wrong:
        raise SteerError(
            f"{called} does not hold the files that its {MANIFEST} lists: {wrong[0]} ({len(wrong)} in all)"
        )
    return manifest


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def _first(error: ValidationError) -> str:
    found = error.errors()[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
