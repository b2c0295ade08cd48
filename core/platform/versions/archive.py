"""A version as one file: written the same every time, and read as untrusted input."""

import shutil
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from core.platform.store.schema import ModelVersion
from core.platform.versions.contents import check_contents
from core.platform.versions.entries import checked_entries
from core.platform.versions.library import Library
from core.platform.versions.manifest import verify
from core.util.archives import DAMAGE, LimitedReads
from core.util.errors import SteerError
from core.util.files import replace_file

_PIECE = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first day of zip's calendar: two exports of a version are the same bytes
_PLAIN_FILE = 0o100644 << 16


def export_version(library: Library, app: str, name: str, file: Path) -> Path:
    """Write a version into one zip file, whole or not at all.

    Args:
        library: Library with the version.
        app: Name of the app whose version it is.
        name: Name of the version.
        file: File to write; what was there before is replaced.

    Raises:
        SteerError: There is no such version, its files were changed, or the disk is full.
    """
    folder = library.path(library.version(app, name))
    manifest = verify(folder)
    with replace_file(file) as temporary, ZipFile(temporary, "w") as archive:
        for member in ("manifest.json", *sorted(manifest.files)):  # stored as they are: weights hardly shrink
            entry = ZipInfo(member, _EPOCH)
            entry.external_attr = _PLAIN_FILE
            entry.file_size = (folder / member).stat().st_size
            with (folder / member).open("rb") as source, archive.open(entry, "w") as target:
                shutil.copyfileobj(source, target, _PIECE)
    return file


def import_version(library: Library, file: Path) -> ModelVersion:
    """Register the version that an archive holds; it does not serve until it is promoted.

    Nothing of the archive is unpickled, run or followed, and nothing of it stays if it is refused: see
    `core.platform.versions.entries` for the archive itself, `core.platform.versions.contents` for what the files hold.

    Args:
        library: Library that takes the version in.
        file: Archive, which anybody may have written.

    Raises:
        SteerError: It is no such file; the message says why.
    """
    if not file.is_file():
        raise SteerError(f"there is no file {file}")
    with library.staging() as staged:
        try:
            with LimitedReads(file.open("rb", buffering=0)) as stream, ZipFile(stream) as archive:
                for entry in checked_entries(file, archive):
                    _extract(archive, entry, staged / entry.filename)
        except DAMAGE as error:
            raise SteerError(f"{file} is no whole zip archive: {error}") from error
        verify(staged, str(file))
        metrics = check_contents(staged)
        return library.enter(staged, metrics, f"imported from {file.name!r}")


def _extract(archive: ZipFile, entry: ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, target.open("xb") as copy:
        shutil.copyfileobj(source, copy, _PIECE)  # `zipfile` gives no more bytes than the entry announces
