"""Turns documents of every kind into HTML, each by the library that knows its kind."""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import yaml

from core.data.documents.pdf import pdf_to_html
from core.data.documents.unreadable import UnreadableError, extra
from core.data.row_files import NOT_UTF8
from core.util.archives import DAMAGE

if TYPE_CHECKING:
    from docutils.parsers.rst import Directive

_MOST_BYTES_UNPACKED = 200_000_000
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
# What MyST, the Markdown of Sphinx, writes as a fence may be a note to read, code, or any other directive.
_NOTE = re.compile(r"\{(note|tip|hint|important|warning|caution|attention|danger|seealso|admonition)\}")
_CODE = re.compile(r"\{(code|code-block|code-cell|prompt|sourcecode)\}|[^{]|$")
_OPTION = re.compile(r"^:[\w-]+:.*\n", re.MULTILINE)
_MYST_LABEL = re.compile(r"^\([\w-]+\)=$", re.MULTILINE)
# Directives of Sphinx's extensions for tabs, whose content is text like any other.
_TABS = ("tab", "tabs", "tab-set", "tab-item", "group-tab")
_ROLE = re.compile(r"(?:\{[\w:+-]+\}|:[\w:+-]+:)`~?!?([^`<]*?)(?:\s*<[^`>]*>)?`")


def suffix_of(file: Path) -> str:
    """The suffix by which a document is read; empty where it is none."""
    name = file.name.lower()
    return next((suffix for suffix in HTML_OF if name.endswith(suffix)), "")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(NOT_UTF8) from error


def _markdown(file: Path) -> str:
    text = _text(file)
    front = _FRONT_MATTER.match(text)
    rendered = _rendered(_MYST_LABEL.sub("", _ROLE.sub(r"\1", text[front.end() :] if front else text)))
    return f"<title>{html.escape(_title(front[1]))}</title>{rendered}" if front else rendered


def _title(front_matter: str) -> str:
    try:
        fields = yaml.safe_load(front_matter)
    except (yaml.YAMLError, RecursionError):
        return ""
    return str(fields.get("title") or "") if isinstance(fields, Mapping) else ""


def _rendered(markdown: str) -> str:
    from markdown_it import MarkdownIt

    def fence(renderer: Any, tokens: Sequence[Any], at: int, *others: Any) -> str:
        content, info = tokens[at].content, tokens[at].info
        if _NOTE.match(info):
            return reader.render(content)
        is_code = _CODE.match(info) or content.startswith("$ ")  # projects have directives of their own for commands
        return f"<pre>{html.escape(_OPTION.sub('', content))}</pre>" if is_code else ""

    reader = MarkdownIt("commonmark").enable("table")
    reader.add_render_rule("fence", fence)
    return reader.render(markdown)


def _plain(file: Path) -> str:
    # Plain text is Markdown without markup and code: what is indented is a paragraph like any other.
    return _rendered(re.sub(r"^[ \t]+", "", html.escape(_text(file), quote=False), flags=re.MULTILINE))


def _restructured(file: Path) -> str:
    with extra("reads reStructuredText"):
        from docutils.core import publish_parts
        from docutils.parsers.rst import directives
    for name in _TABS:
        directives.register_directive(name, _tab())
    # Roles that Sphinx adds are their text; other directives that it adds are left out.
    source = _ROLE.sub(r"\1", _text(file))
    settings = {
        "_disable_config": True,
        "file_insertion_enabled": False,
        "halt_level": 5,
        "raw_enabled": False,
        "report_level": 5,
        "syntax_highlight": "none",
    }
    return publish_parts(source, writer="html5", settings_overrides=settings)["html_body"]


@cache
def _tab() -> "type[Directive]":
    from docutils import nodes
    from docutils.parsers.rst import Directive

    class Tab(Directive):
        """Content of a tab, without its label."""

        has_content, optional_arguments, final_argument_whitespace = True, 1, True

        def run(self) -> "list[nodes.Node]":
            content = nodes.container()
            self.state.nested_parse(self.content, self.content_offset, content)
            return [content]

    return Tab


def _word(file: Path) -> str:
    with extra("reads Word files"):
        import mammoth
    try:
        with ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES_UNPACKED:
                raise UnreadableError(f"larger than {_MOST_BYTES_UNPACKED // 1_000_000} MB when unpacked")
        with file.open("rb") as stream:
            converted = mammoth.convert_to_html(
                stream,
                style_map="p[style-name='Title'] => h1:fresh",
                convert_image=mammoth.images.img_element(lambda image: {"src": ""}),
            )
    except BadZipFile as error:
        raise UnreadableError("not a Word file, or protected by a password") from error
    except (*DAMAGE, KeyError, ValueError) as error:
        raise UnreadableError(f"a Word file that is damaged ({error})") from error
    return converted.value


# The longer suffix first: `.rst.txt` is how Sphinx publishes its sources.
HTML_OF: Mapping[str, Callable[[Path], str]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".html": _text,
    ".htm": _text,
    ".rst.txt": _restructured,
    ".rst": _restructured,
    ".txt": _plain,
    ".pdf": pdf_to_html,
    ".docx": _word,
}
OTHER_SUFFIXES = (".doc", ".odt", ".rtf", ".ppt", ".pptx", ".epub")
