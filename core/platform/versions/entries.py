"""Checks of what an archive says of its entries, before a byte of them is unpacked."""

from pathlib import Path
from zipfile import ZipFile, ZipInfo

from core.platform.versions.manifest import MANIFEST, MAX_FILES, belongs
from core.util.archives import entry_fault
from core.util.errors import SteerError

GIB = 1 << 30
MAX_ARCHIVE, MAX_UNPACKED = 8 * GIB, 16 * GIB
MAX_SMALL = GIB // 16  # of whatever holds no tensors; the largest tokenizers have some 20 MB
MAX_RATIO = 100  # JSON shrinks to a tenth

_PICKLES = (".pkl", ".pickle", ".bin", ".pt", ".pth", ".ckpt", ".npy", ".npz", ".joblib", ".dill", ".h5", ".msgpack")


def checked_entries(file: Path, archive: ZipFile) -> list[ZipInfo]:
    """The entries of an archive, if a version could have been packed so.

    Raises:
        SteerError: Too large, too many, a name that leads elsewhere or does not belong, a link, a bomb.
    """
    entries = archive.infolist()
    if len(entries) > MAX_FILES + 1:
        raise SteerError(f"{file} has {len(entries)} entries; a version has at most {MAX_FILES + 1}")
    if file.stat().st_size > MAX_ARCHIVE or sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise SteerError(
            f"{file} is too large: at most {MAX_ARCHIVE // GIB} GiB packed and {MAX_UNPACKED // GIB} GiB unpacked"
        )
    seen: set[str] = set()
    for entry in entries:
        fault = _fault(entry) or ("occurs twice" if entry.filename.casefold() in seen else None)
        if fault:
            raise SteerError(f"{file} is refused: its entry {entry.orig_filename!r} {fault}")
        seen.add(entry.filename.casefold())
    return entries


def _fault(entry: ZipInfo) -> str | None:
    name = entry.orig_filename
    if name.lower().endswith(_PICKLES):
        return "may run code when it is opened (a pickle); Steer takes .safetensors only"
    if name != entry.filename or (name != MANIFEST and not belongs(name)):
        return "does not belong in a version"
    fault = entry_fault(entry)
    if fault is not None:
        return fault
    if entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        return f"would unpack to more than {MAX_RATIO} times its size"
    if entry.file_size > MAX_SMALL and not name.endswith(".safetensors"):
        return f"is larger than {MAX_SMALL >> 20} MiB"
    return None
