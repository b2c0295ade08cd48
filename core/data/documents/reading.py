"""Reads a folder of documents as passages, and says of each file that cannot be read why."""

from collections.abc import Iterator
from pathlib import Path

from core.data.documents.formats import HTML_OF, OTHER_SUFFIXES, suffix_of
from core.data.documents.passages import Passage, passages_of
from core.data.documents.unreadable import UnreadableError
from core.data.report import Rejections
from core.util.errors import SteerError

SUFFIXES = tuple(HTML_OF)
_MOST_BYTES = 50_000_000


def read_documents(path: Path, rejections: Rejections) -> list[Passage]:
    """The passages of a document, or of all documents in a folder and the folders below it.

    Documents are files that end in one of `SUFFIXES`; hidden files and folders, pictures and the like are left out.

    Args:
        path: File or folder.
        rejections: Rejections in which documents that cannot be used are noted.

    Raises:
        SteerError: There is no such file or folder, or it holds no document; or a package that reads documents of this
            kind is not installed.
    """
    if not path.exists():
        raise SteerError(f"there is no file or folder {path}")
    root, files = (path, list(_files(path))) if path.is_dir() else (path.parent, [path])
    if not any(suffix_of(file) for file in files):
        raise SteerError(f"{path} holds no document; documents are files that end in {', '.join(SUFFIXES)}")
    passages: list[Passage] = []
    for file in files:
        name = file.relative_to(root).as_posix()
        try:
            found = passages_of(_html(file, root), name)
            if not found:
                raise UnreadableError("no text in it")
            passages += found
        except UnreadableError as error:
            rejections.add(name, "", str(error))
        except RecursionError:
            rejections.add(name, "", "nested too deeply to be read")
    return passages


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        is_hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if not is_hidden and (suffix_of(file) or file.suffix.lower() in OTHER_SUFFIXES) and not file.is_dir():
            yield file


def _html(file: Path, root: Path) -> str:
    """A document as HTML, whose headings and blocks are those of the document."""
    if not file.resolve().is_relative_to(root.resolve()):
        raise UnreadableError("a link out of the folder; copy the file there")
    suffix = suffix_of(file)
    if not suffix:
        raise UnreadableError("of a kind that is not read; save it as DOCX, PDF or HTML")
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise UnreadableError(f"larger than {_MOST_BYTES // 1_000_000} MB; divide it into several files")
        return HTML_OF[suffix](file)
    except OSError as error:
        raise UnreadableError(f"cannot be read ({error.strerror})") from error
