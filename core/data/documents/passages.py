"""Cuts a document into passages: what stands under one heading, in parts that an encoder can read."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from core.util.sentences import sentences

if TYPE_CHECKING:
    from bs4 import Tag

MOST_CHARACTERS = 800
_LONGEST_NAME = 60
# Code that a sentence announces ("by running:") and that is no longer than this is part of the sentence.
_LONGEST_CODE, _CODE_LINES = 200, 3
_PROMPT = re.compile(r"^\s*(?:\$|%|>|>>>|C:\\>)\s+")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_BLOCKS = (
    *_HEADINGS, "address", "article", "aside", "blockquote", "body", "dd", "details", "div", "dl", "dt", "figcaption",
    "figure", "header", "hr", "html", "li", "main", "ol", "p", "pre", "section", "summary", "table", "tbody", "td",
    "th", "thead", "tr", "ul",
)  # fmt: skip
# A row of a table is a line, unless the table is there to lay out a page.
_OF_LAYOUT = (*_HEADINGS, "ol", "table", "ul")
# What is no text: navigation, scripts, and marks that point at the heading itself.
_NO_TEXT = (
    "button, footer, form, head, iframe, math, nav, noscript, object, script, select, style, svg, template, "
    "[aria-hidden=true], [hidden], [role=navigation], [role=search], "
    "a.headerlink, a.anchor, .breadcrumbs, .contents, .related, .sphinxsidebar, .toctree-wrapper"
)


@dataclass(frozen=True)
class Passage:
    """A part of a document that is read at once.

    Attributes:
        id: Name by which it is known as long as file and heading keep theirs.
        section: Name of what stands under its heading, of which a long one has several passages.
        document: Title of the document.
        heading: Heading above it; the document's title for what stands before all headings.
        text: Its paragraphs, one a line, with short code that they announce between backticks.
    """

    id: str
    section: str
    document: str
    heading: str
    text: str

    @property
    def title(self) -> str:
        """Document and heading."""
        return self.heading if self.heading == self.document else f"{self.document}: {self.heading}"


def passages_of(html: str, name: str) -> list[Passage]:
    """The passages of a document.

    Args:
        html: Document as HTML. What its `main` holds is read, or else all of its body.
        name: Name of its file.
    """
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "html.parser")
    page_title = _line(soup.title.get_text()) if soup.title else ""
    root = soup.select_one("main, [role=main]") or soup
    for element in root.select(f"{_NO_TEXT}, title"):
        element.extract()
    sections = _sections(root)
    top = next((heading for heading, _ in sections if heading), "")
    document = (top if soup.find("h1") else page_title) or page_title or _title_of(name)
    used: Counter[str] = Counter()
    passages: list[Passage] = []
    for heading, paragraphs in sections:
        if not paragraphs:
            continue
        anchor = re.sub(r"[\W_]+", "-", heading.casefold()).strip("-")[:_LONGEST_NAME]
        used[anchor] += 1
        section = f"{name}#{anchor}" if anchor else name
        section += f"-{used[anchor]}" if used[anchor] > 1 else ""
        for number, text in enumerate(_cut(paragraphs), start=1):
            part = f"{section}:{number}" if number > 1 else section
            passages.append(Passage(part, section, document, heading or document, text))
    return passages


def text_of(html: str) -> str:
    """The text of a piece of HTML, its headings and paragraphs a line each."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "html.parser")
    for element in soup.select(_NO_TEXT):
        element.extract()
    lines = [line for heading, paragraphs in _sections(soup) for line in (heading, *paragraphs)]
    return "\n".join(line for line in lines if line)


def _sections(root: "Tag") -> list[tuple[str, list[str]]]:
    """Each heading with the paragraphs below it; first those before any heading."""
    sections: list[tuple[str, list[str]]] = [("", [])]
    for kind, text in _blocks(root):
        paragraphs = sections[-1][1]
        if kind == "heading":
            sections.append((text, []))
        elif kind == "code":
            if paragraphs and paragraphs[-1].endswith(":"):
                paragraphs[-1] += text
        elif any(character.isalnum() for character in text):
            paragraphs.append(text)
    return sections


def _blocks(element: "Tag") -> Iterator[tuple[Literal["heading", "paragraph", "code"], str]]:
    """Headings, paragraphs and code, in order."""
    from bs4 import NavigableString, Tag
    from bs4.element import PreformattedString

    inline: list[str] = []

    def ended() -> Iterator[tuple[Literal["paragraph"], str]]:
        text = _line("".join(inline))
        inline.clear()
        if text:
            yield "paragraph", text

    for child in element.children:
        if isinstance(child, Tag) and (child.name in _BLOCKS or child.find(_BLOCKS)):
            yield from ended()
            if child.name in _HEADINGS:
                yield "heading", _line(child.get_text())
            elif child.name == "pre":
                yield "code", _code(child.get_text())
            elif child.name == "tr" and not child.find(_OF_LAYOUT):
                yield "paragraph", " | ".join(_line(cell.get_text(" ")) for cell in child.find_all(["td", "th"]))
            else:
                yield from _blocks(child)
        elif isinstance(child, Tag):
            inline.append(" " if child.name == "br" else child.get_text())
        elif isinstance(child, NavigableString) and not isinstance(child, PreformattedString):
            inline.append(child)
    yield from ended()


def _cut(paragraphs: Sequence[str]) -> Iterator[str]:
    """Paragraphs in parts of at most `MOST_CHARACTERS`, as far as their sentences are no longer than that."""
    part = ""
    for paragraph in paragraphs:
        between = "\n"
        for piece in [paragraph] if len(paragraph) <= MOST_CHARACTERS else sentences(paragraph):
            if part and len(part) + 1 + len(piece) > MOST_CHARACTERS:
                yield part
                part = ""
            part += f"{between if part else ''}{piece}"
            between = " "
    if part:
        yield part


def _code(text: str) -> str:
    """Lines of code as the end of a sentence; empty where they are too many to be read as one."""
    lines = [_PROMPT.sub("", line).strip() for line in text.splitlines() if line.strip()]
    if len(lines) > _CODE_LINES or sum(map(len, lines)) > _LONGEST_CODE:
        return ""
    return "".join(f" `{line}`" for line in lines)


def _line(text: str) -> str:
    return " ".join(text.replace("¶", "").split())


def _title_of(name: str) -> str:
    stem = PurePosixPath(name).name.split(".")[0]
    return re.sub(r"[-_]+", " ", stem).strip().capitalize() or name
