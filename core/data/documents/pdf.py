"""Text of PDF files, with what stands in larger letters as headings."""

import html
import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from core.data.documents.unreadable import UnreadableError, extra

# Letters that are larger than the most frequent ones by this factor are those of headings.
_LARGER = 1.15
_LEVELS = 6
_HEADING = range(3, 121)
_HYPHEN_AT_LINE_END = re.compile(r"(?<=\w)-\n(?=[a-z])")


def pdf_to_html(file: Path) -> str:
    """A PDF file as HTML with headings and paragraphs.

    Raises:
        UnreadableError: It needs a password, is damaged, or holds no text.
        SteerError: The package that reads PDF files is not installed.
    """
    with extra("reads PDF files"):
        from pypdf import PdfReader
        from pypdf.errors import DependencyError, PyPdfError
    try:
        reader = PdfReader(file)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError("encrypted; save it without a password")
        parts = [part for page in reader.pages for part in _parts(page)]
        title = str((reader.metadata and reader.metadata.title) or "")
    except DependencyError as error:
        raise UnreadableError("encrypted; save it without a password") from error
    # Whatever stands where pypdf expects something else.
    except (PyPdfError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UnreadableError("a PDF file that is damaged") from error
    if not any(text.strip() for _, text in parts):
        raise UnreadableError("a PDF file without text, such as a scan; recognise its text first (OCR)")
    return f"<title>{html.escape(title)}</title>{''.join(_blocks(parts))}"


def _parts(page: Any) -> list[tuple[float, str]]:
    """Pieces of a page's text, each with the size of its letters."""
    found: list[tuple[float, str]] = []

    def visit(text: str, current: list[float], line: list[float], font: Any, size: float) -> None:
        del font
        if text:
            found.append((round(abs(size * current[3] * line[3]), 1), text))

    page.extract_text(visitor_text=visit)
    return [*found, (found[-1][0], "\n")] if found else []


def _blocks(parts: list[tuple[float, str]]) -> Iterator[str]:
    letters: Counter[float] = Counter()
    for size, text in parts:
        letters[size] += len(text.strip())
    body = letters.most_common(1)[0][0]
    larger = sorted((size for size in letters if size > _LARGER * body), reverse=True)
    level_of = {size: min(level, _LEVELS) for level, size in enumerate(larger, start=1)}
    for level, group in groupby(parts, key=lambda part: level_of.get(part[0], 0)):
        text = " ".join(_HYPHEN_AT_LINE_END.sub("", "".join(piece for _, piece in group)).split())
        tag = f"h{level}" if level and len(text) in _HEADING else "p"
        yield f"<{tag}>{html.escape(text)}</{tag}>"
