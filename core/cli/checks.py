"""What `steer doctor` looks at; nothing of it makes or changes anything."""

import json
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Literal
from urllib.error import URLError
from urllib.request import urlopen

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from core.data.packages import PACKAGED, Packaged, packaged_folder
from core.models.weights import DEFAULT_ENCODER
from core.util.errors import SteerError, UnavailableError
from core.util.files import sha256_of
from core.util.paths import cache_dir

_GIB = 2**30
_NEEDED_GIB = 2  # the shipped apps' runs and versions, what they cache, and something to spare
_NOT_MADE = "its tables are not made yet: the first command that needs them does"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        subject: Name of what was looked at.
        state: `ok`, `note` for what works and could be better, or `missing` for what is needed.
        found: Sentence about what is there.
        remedy: Thing to do, or to type; empty where all is well.
    """

    subject: str
    state: Literal["ok", "note", "missing"]
    found: str
    remedy: str = ""


def check_python() -> Finding:
    """Python's version."""
    found, wanted = platform.python_version(), SpecifierSet(metadata("steer")["Requires-Python"])
    if found in wanted:
        return Finding("Python", "ok", found)
    return Finding("Python", "missing", f"{found}, not {wanted}", "make the environment anew with another Python")


def check_packages() -> Iterator[Finding]:
    """Steer's own requirements, then those of each of its extras."""
    wanted = [Requirement(line) for line in requires("steer") or []]
    always = [each for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    if lacking := [each for each in always if not _is_there(each)]:
        remedy = "pip install " + " ".join(f"'{each.name}{each.specifier}'" for each in lacking)
        yield Finding("packages", "missing", _lack(lacking), remedy)
    else:
        yield Finding("packages", "ok", f"Steer {version('steer')} and the {len(always)} packages that it needs")
    for extra in metadata("steer").get_all("Provides-Extra", []):
        own = [each for each in wanted if each not in always and each.marker and each.marker.evaluate({"extra": extra})]
        lacking = [each for each in own if not _is_there(each)]
        if lacking:
            yield Finding(f"extra {extra}", "note", _lack(lacking), f"to use it: pip install 'steer[{extra}]'")
        else:
            yield Finding(f"extra {extra}", "ok", "installed")


def check_torch() -> Finding:
    """PyTorch, and what it computes on."""
    try:
        import torch

        from core.models.hardware import bf16_hardware
    except (ImportError, OSError) as error:  # a library that its binary needs is an OSError
        return Finding("torch", "missing", f"does not load: {error}", "pip install --force-reinstall torch")
    if torch.cuda.is_available():
        bf16 = "fast" if bf16_hardware(torch.device("cuda")) else "not fast"
        memory = torch.cuda.get_device_properties(0).total_memory / _GIB
        return Finding("torch", "ok", f"{torch.__version__}: {_gpus()}, {memory:.0f} GiB each, bf16 {bf16}")
    bf16 = bf16_hardware(torch.device("cpu"))
    found = f"{torch.__version__}: CPU, {torch.get_num_threads()} threads, bf16 {f'by {bf16}' if bf16 else 'not fast'}"
    if torch.version.cuda is None:
        return Finding("torch", "ok", found)
    remedy = "with a GPU, its driver; without, the CPU build spares gigabytes: pip install --force-reinstall torch "
    remedy += "--index-url https://download.pytorch.org/whl/cpu"
    return Finding("torch", "note", f"{found}; built for CUDA {torch.version.cuda}, and no GPU is seen", remedy)


def check_weights() -> Iterator[Finding]:
    """Packaged weights and data in the cache, by their hashes."""
    for entry in PACKAGED.values():
        name, file = f"pip:{entry.package}", packaged_folder(entry) / entry.pinned
        if not file.is_file():
            state: Literal["note", "missing"] = "missing" if name == DEFAULT_ENCODER else "note"
            yield Finding(name, state, f"{entry.kind}, not fetched yet", f"steer models fetch {name}")
        else:
            yield _fetched(name, entry, file)


def check_folder(subject: str, folder: Path, option: str) -> Finding:
    """Write access to a folder, or to where it will be made, and the space on its disk.

    Args:
        subject: Name of what the folder holds.
        folder: Folder, which need not exist.
        option: Way to name another one.
    """
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        remedy = f"let this user write there, or name another folder: {option}"
        return Finding(subject, "missing", f"{folder} takes no files: {error.strerror}", remedy)
    free = shutil.disk_usage(there).free / _GIB
    found = f"{folder}, {free:.1f} GiB free"
    if free < _NEEDED_GIB:
        return Finding(subject, "missing", found, f"free {_NEEDED_GIB} GiB, or name another folder: {option}")
    return Finding(subject, "ok", found)


def check_cache() -> Finding:
    """The folder of fetched weights and data."""
    return check_folder("cache", cache_dir(), "STEER_CACHE_DIR=FOLDER")


def check_store(url: str) -> Finding:
    """The store: whether it answers, takes writes, and has the tables of this version."""
    from core.platform.store.checkup import check_store as look
    from core.platform.store.database import is_new

    try:
        if is_new(url):
            return Finding("store", "ok", _NOT_MADE)
        state = look(url)
    except UnavailableError as error:
        return Finding("store", "missing", error.reason, "start the database, or name another store: --store URL")
    except SteerError as error:
        return Finding("store", "missing", str(error), "name another store: --store URL")
    if state.revision is None:
        return Finding("store", "ok", f"{state.url} answers; {_NOT_MADE}")
    if state.is_current:
        return Finding("store", "ok", f"{state.url}, revision {state.revision}")
    found = f"{state.url} has the tables of an older version (revision {state.revision})"
    return Finding("store", "note", found, "the next start brings them up to date; `steer store backup FILE` before")


def check_port(host: str, port: int) -> Finding:
    """The port: free, or Steer answers there already."""
    from core.platform.server.ports import check_port as check_free

    try:
        check_free(host, port)
    except SteerError as error:
        if apps := _apps_served(host, port):
            return Finding("port", "ok", f"{port}: Steer serves {', '.join(apps)} there")
        found, _, remedy = str(error).partition("; ")
        return Finding("port", "missing", found, remedy or "choose another one with --port")
    return Finding("port", "ok", f"{port} is free")


def _is_there(wanted: Requirement) -> bool:
    try:
        return wanted.specifier.contains(version(wanted.name), prereleases=True)
    except PackageNotFoundError:
        return False


def _lack(lacking: list[Requirement]) -> str:
    return "not there, or of another version: " + ", ".join(each.name for each in lacking)


def _gpus() -> str:
    import torch

    return ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))


def _fetched(name: str, entry: Packaged, file: Path) -> Finding:
    if sha256_of(file) == entry.sha256:
        return Finding(name, "ok", f"{entry.kind}, {entry.version}, in {file.parent}")
    remedy = f"remove that folder, then: steer models fetch {name}"
    return Finding(name, "missing", f"{file} is damaged: its hash is not the pinned one", remedy)


def _apps_served(host: str, port: int) -> list[str]:
    try:
        with urlopen(f"http://{host}:{port}/health", timeout=3) as answer:
            return list(json.load(answer)["apps"])
    except (URLError, OSError, ValueError, KeyError, TypeError):
        return []
